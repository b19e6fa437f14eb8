"""``zeke-jobs top``: everything live, for people."""

import sys
from typing import Annotated

from zeke_jobs.cli import database
from zeke_jobs.cli.options import flag
from zeke_jobs.cli.output import console
from zeke_jobs.cli.run import UsageError
from zeke_jobs.top import app


def top(once: Annotated[bool, flag("--once", "Print one picture and end; needs no terminal.")] = False) -> None:
    """Watch tasks, jobs, schedules, limits and workers on a full screen; pause, resume, cancel, retry and open by keys."""
    url = database.choose()
    if once:
        app.once(url, console())
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("expected a terminal, got none; zeke-jobs top --once prints one picture")
    app.watch(url, console())
