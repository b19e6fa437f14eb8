"""The command lines that make up a running system, as ``up`` and the demo start them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from zeke_jobs.core import environment
from zeke_jobs.supervise.supervisor import Command

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Seconds that a worker needs to hand its jobs back and to leave the fleet, also with a slow database.
LAST_WORDS = 20.0
_SHORTEST = 1.0  # seconds for jobs; as long as a claim that is under way may take to come back
#: Written before our log is set up, in a form of its own.
_GREETING = re.compile(r"\[periodiq\] \[INFO\] Starting Periodiq")


def program(name: str) -> list[str]:
    """How to run a command that is installed beside this Python, or beside the command that runs now.

    Its first line names the Python too, in a way that not every path survives.
    """
    beside = [Path(one).parent / name for one in (sys.executable, sys.argv[0])]
    return [sys.executable, str(next((path for path in beside if path.is_file()), beside[0]))]


def system(
    env: Mapping[str, str], *, processes: int = 1, threads: int = 8, grace: float = 30.0, on_terminal: bool = False
) -> list[Command]:
    """Workers and scheduler.

    Args:
        env: Their whole environment; ``DATABASE_URL`` and, unless it is ./jobs.yaml, ``ZEKE_JOBS_CONFIG`` belong in it.
        processes: Worker processes.
        threads: Jobs that each of them runs at once.
        grace: Seconds from SIGTERM to SIGKILL, of which workers keep the last 20 for themselves: jobs that have not ended by
            then are handed back, and nobody counts as dead.
        on_terminal: Their output ends on a terminal: readable and coloured, unless ``env`` says otherwise.
    """
    defaults = {environment.LOG_FORMAT: "console", "FORCE_COLOR": "1"} if on_terminal else {}
    env = {**defaults, **env, "PYTHONUNBUFFERED": "1"}
    # Dramatiq's main process has a log format of its own; without its logging it still writes warnings.
    size = ["--processes", str(processes), "--threads", str(threads), "--skip-logging"]
    for_jobs = max(_SHORTEST, grace - LAST_WORDS)
    size += ["--worker-shutdown-timeout", str(round(for_jobs * 1000))]
    return [
        Command("workers", [*program("dramatiq"), "zeke_jobs.actors", *size], env),
        Command("scheduler", [*program("periodiq"), "zeke_jobs.actors"], env, _GREETING),
    ]
