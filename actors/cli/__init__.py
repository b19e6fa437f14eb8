"""Runs ``zeke-news``, the command line for the stories and sources of the pipeline."""

import sys


def main() -> None:
    """Run ``zeke-news`` and exit with its status."""
    from actors.cli.app import run

    sys.exit(run())
