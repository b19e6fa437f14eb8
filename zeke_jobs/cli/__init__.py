"""Runs the command line ``zeke-jobs``."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing would take longer than a whole probe
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command that the process's arguments name, and exit with the command's status."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) == 2 and words[0] == "health" and words[1] in ("--live", "--ready"):
        from zeke_jobs.core import probes

        sys.exit(probes.main(words[1].removeprefix("--")))
    from zeke_jobs.cli.root import app
    from zeke_jobs.cli.run import run

    sys.exit(run(app, "zeke-jobs", arguments))
