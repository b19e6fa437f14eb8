"""The command lines of a running system, as ``up`` and the demo start them, and of pg-boss's dashboard, an npm package."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
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


#: The version that was tried.
DASHBOARD = "@pg-boss/dashboard@1.9.0"
_DASHBOARD = "pg-boss-dashboard"


def dashboard_program() -> list[str]:
    """Its command line: from ``node_modules`` in this folder or one above, or from the PATH.

    Raises ConfigurationError if Node.js or the package is missing.
    """
    node = shutil.which("node")
    if node is None:
        raise ConfigurationError(
            "expected Node.js on the PATH for the dashboard, got none\n"
            "  help: https://nodejs.org/en/download, or zeke-jobs up without --dashboard"
        )
    here = Path.cwd()
    beside = (str(folder / "node_modules" / ".bin" / _DASHBOARD) for folder in (here, *here.parents))
    found = next((one for one in beside if Path(one).is_file()), None) or shutil.which(_DASHBOARD)
    if found is None:
        raise ConfigurationError(
            f"expected the npm package of the dashboard in node_modules, got none\n  help: npm install {DASHBOARD}"
        )
    return [node, found]


def dashboard(argv: list[str], env: Mapping[str, str], *, port: int, schema: str) -> Command:
    """Its command, for this machine only, and read-only unless ``env`` has ``PGBOSS_DASHBOARD_READ_ONLY=0``.

    ``schema`` has our views in the words of pg-boss.
    """
    fixed = {"HOST": "127.0.0.1", "PORT": str(port), "PGBOSS_SCHEMA": schema}
    return Command("dashboard", argv, {"PGBOSS_DASHBOARD_READ_ONLY": "1", **env, **fixed})
