"""``zeke-news``: the news of the pipeline on the command line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``zeke-news``; exit status 0 fine, 1 failed or not found, 2 configuration or usage."""
    from actors.cli.app import run

    sys.exit(run(sys.argv[1:]))
