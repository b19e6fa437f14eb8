"""Tests and the programs in tests/lab run, kill and await the real commands as processes, and read their logs."""

import importlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
from psycopg2.extensions import connection as Connection

from tests import waiting
from tests.zeke_jobs.sql import rows, value

ROOT = Path(__file__).parents[1]
HANDLERS = "tests.acceptance.handlers"
PROGRAMS = {"zeke-jobs": "zeke_jobs.cli.root", "zeke-news": "actors.cli.app"}


@dataclass
class Command:
    process: subprocess.Popen[bytes]
    log: Path
    spent: float = 0.0  # ``spent`` is in seconds of CPU, measured when the process is ended.
    is_wanted: bool = True  # ``is_wanted`` becomes false when the process is ended.

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL the process and all processes that it started, as a power failure would."""
        self.spent, self.is_wanted = self.cpu(), False
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, timeout: float = 20.0, number: signal.Signals = signal.SIGTERM) -> int:
        self.spent, self.is_wanted = self.cpu(), False
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def wait(self, timeout: float = 20.0) -> int:
        return self.process.wait(timeout)

    def wait_for(self, words: str, times: int = 1) -> None:
        waiting.eventually(
            lambda: self.process.poll() is not None or self.text().count(words) >= times, 60.0, self.text
        )
        assert self.text().count(words) >= times, self.text()

    def cpu(self) -> float:
        """Return the CPU seconds of the process and its descendants, including those that have ended."""
        with suppress(psutil.NoSuchProcess):
            if self.process.poll() is None:
                return cpu_of(psutil.Process(self.process.pid))
        return self.spent


def launch(log: Path, *arguments: str | Path, **how: Any) -> Command:
    """Start a program in a new session, with its output in a file; ``how`` are arguments of Popen."""
    with log.open("wb") as output:
        how = {"stdin": subprocess.DEVNULL, **how, "stdout": output, "stderr": subprocess.STDOUT}
        return Command(subprocess.Popen(arguments, start_new_session=True, **how), log)


@dataclass
class Fleet:
    """A fleet is a group of worker and scheduler processes with one jobs.yaml and one database."""

    folder: Path
    database: str
    commands: list[Command] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, text: str, name: str = "jobs.yaml") -> Path:
        """Write a jobs.yaml, given in full or as tasks only; ``H:`` stands for the module of test handlers."""
        path, text = self.folder / name, textwrap.dedent(text)
        if "version:" not in text and '"version":' not in text:  # The text is YAML or JSON.
            text = "version: 1\ntasks:\n" + textwrap.indent(text, "  ")
        path.write_text(text.replace("H:", f"{HANDLERS}:"))
        return path

    def run(self, *arguments: str, **environment: str) -> Command:
        """Start a command as a process, with the variables that a user would set, and with those in ``environment``."""
        log = self.folder / f"{len(self.commands)}-{Path(arguments[0]).name}.log"
        modules = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {**os.environ, "DATABASE_URL": self.database, "PYTHONPATH": modules, "ZEKE_JOBS_HEARTBEAT": "0.5"}
        env |= {**self.environment, **environment}
        program = Path(sys.executable).parent / arguments[0]
        self.commands.append(launch(log, program, *arguments[1:], cwd=self.folder, env=env))
        return self.commands[-1]

    def zeke(self, *arguments: str, status: int | None = 0) -> str:
        """Run ``zeke-jobs`` in this process, which takes a tenth of a new process's time; return its output."""
        env = {**os.environ, **self.environment, "DATABASE_URL": self.database, "COLUMNS": "200"}
        done = in_this_process(self.folder, env, "zeke-jobs", *arguments)
        assert status is None or done.returncode == status, f"{done.stdout}\n{self.logs()}"
        return done.stdout

    def workers(self, *options: str, processes: int = 1, threads: int = 4, **environment: str) -> Command:
        sizes = ("-p", str(processes), "-t", str(threads))
        return self.run("dramatiq", "zeke_jobs.actors", *sizes, *options, **environment)

    def serve(
        self, text: str, conn: Connection, *options: str, commands: int = 1, processes: int = 1, **how: Any
    ) -> Command:
        """Start worker processes with this jobs.yaml, wait until they are ready, and return the first of them."""
        self.configure(text)
        started = [self.workers(*options, processes=processes, **how) for _ in range(commands)]
        self.ready(conn, commands * processes)
        return started[0]

    def scheduler(self, **environment: str) -> Command:
        return self.run("periodiq", "zeke_jobs.actors", **environment)

    def ready(self, conn: Connection, count: int, timeout: float = 30.0) -> None:
        workers = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'"
        eventually(lambda: scalar(conn, workers) >= count, timeout, self)

    def cpu(self) -> float:
        """Return the CPU seconds of all started processes, including killed ones."""
        return sum(command.cpu() for command in self.commands)

    def check(self) -> None:
        """Raise RuntimeError with the ends of the logs if a process has ended unexpectedly."""
        for command in self.commands:
            if command.is_wanted and (status := command.process.poll()) is not None:
                raise RuntimeError(f"expected commands that run, got exit status {status}\n{self.logs()}")

    def until(self, condition: Callable[[], Any], timeout: float = 300.0, *, every: float = 0.05) -> Any:
        """Poll a condition as ``eventually`` does, and check each time that all processes still run."""

        def holds() -> Any:
            self.check()
            return condition()

        return eventually(holds, timeout, self, every=every)

    def stop(self) -> None:
        for command in self.commands:
            if command.process.poll() is None:
                command.kill()

    def logs(self) -> str:
        return "\n".join(f"── {c.log.name}\n{c.text()[-4000:]}" for c in self.commands)


def in_this_process(
    folder: Path, env: dict[str, str], program: str, *arguments: str, apart: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run one of the project's commands in a folder; stderr is part of the output unless ``apart`` is true."""
    from zeke_jobs.cli.run import run

    out = io.StringIO()
    err = io.StringIO() if apart else out
    app = importlib.import_module(PROGRAMS[program]).app
    with chdir(folder), patch.dict(os.environ, env, clear=True), redirect_stdout(out), redirect_stderr(err):
        status = run(app, program, arguments)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue() if apart else "")


@contextmanager
def fleet(folder: Path, database: str, **environment: str) -> Iterator[Fleet]:
    """Make the folder if necessary; stop all processes at the end of the ``with`` block."""
    folder.mkdir(exist_ok=True)
    started = Fleet(folder, database, environment=environment)
    try:
        yield started
    finally:
        started.stop()


def cpu_of(parent: psutil.Process) -> float:
    """Return the CPU seconds of a process and all its descendants, including those that have ended."""
    total = 0.0
    for process in [parent, *parent.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])  # The times include the children that have ended.
    return total


def bare_environment() -> dict[str, str]:
    ours = ("ZEKE_", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """Make a folder outside pytest's: if root runs the tests, the server's user cannot enter pytest's folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"zeke-{name}-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of processes whose command line, directory or ``ZEKE_JOBS_DATA`` contains the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            marks = (command, process.cwd(), process.environ().get("ZEKE_JOBS_DATA", ""))
            if process.pid != os.getpid() and any(str(folder) in mark for mark in marks):
                found.append(command)
    return found


def is_at_work(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


query, scalar = rows, value


def eventually(condition: Callable[[], Any], timeout: float = 30.0, fleet: Any = None, *, every: float = 0.05) -> Any:
    """Poll a condition that depends on other processes; if the condition starts a process, use a larger ``every``."""
    return waiting.eventually(condition, timeout, fleet.logs if fleet else "it", every=every)
