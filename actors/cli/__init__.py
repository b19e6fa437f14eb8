"""``zeke-news``: the news of the pipeline on the command line."""

import sys


def main() -> None:
    """Run ``zeke-news`` and exit with its status."""
    from actors.cli.app import run

    sys.exit(run())
