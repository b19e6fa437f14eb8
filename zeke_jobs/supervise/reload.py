"""Builds the commands that ``zeke-jobs up`` and the demo run. Restarts them when changed code passes the checks."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from zeke_jobs.core import environment
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.supervise.supervisor import PIPED, Command, Supervisor

LAST_WORDS = 20.0  # seconds in which a worker can hand back its jobs and leave the fleet, even with a slow database
_SHORTEST = 1.0  # minimum number of seconds that jobs get to end; a running claim may take this long
_GREETING = re.compile(r"\[periodiq\] \[INFO\] Starting Periodiq")  # written before the log is set up
DASHBOARD = "@pg-boss/dashboard@1.9.0"  # the version of pg-boss's dashboard that was tried
_DASHBOARD = "pg-boss-dashboard"
_LOOK = 0.5  # seconds between checks of the files
_SKIPPED = {"__pycache__", "node_modules", "site-packages", "tests"}
_TEST = re.compile(r"test_.*\.py|.*_test\.py|conftest\.py")  # pytest finds these files; no worker imports them
_PACKAGED = (".sql", ".yaml", ".yml", ".md", ".txt", ".j2")  # only in packages: jobs may write such files elsewhere


def program(name: str) -> list[str]:
    """Return the command line that runs a script with this Python, from Python's or the running command's folder."""
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
    """Return the command lines of workers and scheduler, with the environment ``env``. By default, workers serve all queues.

    ``grace`` is the number of seconds from SIGTERM to SIGKILL. Workers reserve the last 20 of these seconds to hand back
    unfinished jobs. With ``on_terminal``, the output of the commands is readable and coloured unless ``env`` sets another format.
    """
    defaults = {environment.LOG_FORMAT: "console", "FORCE_COLOR": "1"} if on_terminal else {}
    env = {**defaults, **env, "PYTHONUNBUFFERED": "1"}
    # Dramatiq's main process logs in its own format. With ``--skip-logging`` the process still writes warnings.
    size = ["--processes", str(processes), "--threads", str(threads), *(["--queues", *queues] if queues else ())]
    stop = ["--skip-logging", "--worker-shutdown-timeout", str(round(max(_SHORTEST, grace - LAST_WORDS) * 1000))]
    return [
        Command("workers", [*program("dramatiq"), "zeke_jobs.actors", *size, *stop], env),
        Command("scheduler", [*program("periodiq"), "zeke_jobs.actors"], env, _GREETING),
    ]


def dashboard_program() -> list[str]:
    """Return the dashboard's command line, from ``node_modules`` in this folder or a folder above, or from the PATH."""
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
    """Return the command that runs the dashboard, which only this machine can open. ``schema`` has pg-boss's views."""
    fixed = {"HOST": "127.0.0.1", "PORT": str(port), "PGBOSS_SCHEMA": schema}
    return Command("dashboard", argv, {"PGBOSS_DASHBOARD_READ_ONLY": "1", **env, **fixed})


class Watch:
    """Finds changes of files and folders. In folders it watches Python files and packages' text files, but no tests."""

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = tuple(roots)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Return the sorted list of files that were created, changed or removed since the last call."""
        now = self._look()
        before, self._seen = self._seen, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for path in chain.from_iterable(map(_files, self._roots)):
            with suppress(OSError):  # the file was removed after it was listed, or its folder may not be entered
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size)
        return found


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    packages = set[Path]()
    for walked, folders, names in os.walk(root):  # Python 3.11 lacks Path.walk
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        folder = Path(walked)
        if "__init__.py" in names or folder.parent in packages:
            packages.add(folder)
        texts = _PACKAGED if folder in packages else ()
        yield from (folder / one for one in names if one.endswith((".py", *texts)) and not _TEST.fullmatch(one))


@dataclass
class Reloader:
    """Restarts the supervisor's commands after a change of files, if the checks of the new code succeed."""

    supervisor: Supervisor
    write: Callable[[str, str], None]  # gets "check" and each line that the checks print
    env: Mapping[str, str]
    watch: Watch | None  # None to restart only on request
    checks: tuple[tuple[str, ...], ...] = (("zeke-jobs", "check"), ("zeke-jobs", "migrate"))  # in this order
    _check: subprocess.Popen[str] | None = None
    _asked: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _log: Any = field(default_factory=partial(get_logger, "zeke_jobs.reload"))

    def ask(self) -> None:
        """Make the next ``step`` check the code and, if it passes, restart all. A signal handler may call this."""
        self._asked.set()

    def run(self) -> None:
        """Watch the files until ``end`` is called. This method runs in a thread."""
        while not self._ended.wait(_LOOK):
            try:
                self.step()
            except Exception:  # noqa: BLE001 (a file that may not be read, no process left; each failure is logged)
                self._log.exception("could not check for changes; trying again")
                self.ask()  # the change has been seen, and would not be seen again

    def end(self) -> None:
        """Make ``run`` return. Terminate a check that is running, because it may be waiting for a lock."""
        self._ended.set()
        if self._check is not None:
            self._check.terminate()

    def step(self) -> None:
        """Check the files once. After a change, run the checks and restart."""
        changed = self.watch.changed() if self.watch else []
        if not (self._asked.is_set() or changed):
            return
        self._asked.clear()
        self._log.info("checking", changed=[path.name for path in changed[:5]])
        if all(self._passes(check) for check in self.checks):
            self._log.info("restarting")
            self.supervisor.reload()
        else:
            self._log.error("refused; the running processes go on")

    def _passes(self, check: tuple[str, ...]) -> bool:
        self._check = subprocess.Popen([*program(check[0]), *check[1:]], env=self.env, **PIPED)  # noqa: S603
        output, _ = self._check.communicate()
        if self._check.returncode:
            for line in output.splitlines():
                self.write("check", line)
        return self._check.returncode == 0
