"""The command lines of a running system, as ``up`` and the demo start them."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from zeke_jobs.core import environment
from zeke_jobs.supervise.supervisor import Command

#: Seconds that a worker needs to hand back its jobs and leave the fleet, even with a slow database.
LAST_WORDS = 20.0
_SHORTEST = 1.0  # seconds for jobs; a claim that is under way may take this long to return
#: Written before our log is set up, in another format.
_GREETING = re.compile(r"\[periodiq\] \[INFO\] Starting Periodiq")


def program(name: str) -> list[str]:
    """The command line of a program installed beside this Python, or beside the running command.

    Python is named explicitly, because the first line of the program's file cannot contain every path.
    """
    beside = [Path(one).parent / name for one in (sys.executable, sys.argv[0])]
    return [sys.executable, str(next((path for path in beside if path.is_file()), beside[0]))]


def system(
    env: Mapping[str, str],
    *,
    processes: int = 1,
    threads: int = 8,
    queues: Sequence[str] = (),
    grace: float = 30.0,
    on_terminal: bool = False,
) -> list[Command]:
    """The commands of workers and scheduler, with ``env`` as their whole environment; without ``queues``, workers serve all.

    ``grace`` are the seconds from SIGTERM to SIGKILL. Workers keep the last 20 for handing back unfinished jobs, so that none
    counts as dead. ``on_terminal``, their output is readable and coloured unless ``env`` sets another format.
    """
    defaults = {environment.LOG_FORMAT: "console", "FORCE_COLOR": "1"} if on_terminal else {}
    env = {**defaults, **env, "PYTHONUNBUFFERED": "1"}
    # Dramatiq's main process logs in its own format; without its logging it still writes warnings.
    size = ["--processes", str(processes), "--threads", str(threads), "--skip-logging"]
    if queues:
        size += ["--queues", *queues]
    for_jobs = max(_SHORTEST, grace - LAST_WORDS)
    size += ["--worker-shutdown-timeout", str(round(for_jobs * 1000))]
    return [
        Command("workers", [*program("dramatiq"), "zeke_jobs.actors", *size], env),
        Command("scheduler", [*program("periodiq"), "zeke_jobs.actors"], env, _GREETING),
    ]
