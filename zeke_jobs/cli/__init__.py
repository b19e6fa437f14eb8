"""The command line ``zeke-jobs``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command in the arguments, and exit with its status."""
    from zeke_jobs.cli.root import app
    from zeke_jobs.cli.run import run

    sys.exit(run(app, "zeke-jobs", arguments))
