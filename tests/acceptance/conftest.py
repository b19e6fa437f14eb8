"""Boots the real command lines as processes, on a database of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg2.extensions import connection as Connection

ROOT = Path(__file__).parents[2]
HANDLERS = "tests.acceptance.handlers"


@dataclass
class Command:
    """One running command line, and its output."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL the command and the processes it started, as a machine that loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM the command alone, as a supervisor does."""
        self.process.terminate()
        return self.process.wait(timeout)

    def wait(self, timeout: float = 20.0) -> int:
        return self.process.wait(timeout)


@dataclass
class Fleet:
    """Worker and scheduler commands that share a jobs.yaml and a database."""

    folder: Path
    database: str
    commands: list[Command] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, text: str, name: str = "jobs.yaml") -> Path:
        """Write a jobs.yaml; ``H:`` stands for the module of test handlers."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text).replace("H:", f"{HANDLERS}:"))
        return path

    def run(self, *arguments: str, before: Sequence[str] = (), **environment: str) -> Command:
        """Start a command line, behind a program that starts it (``before``), with the environment that a user would set."""
        log = self.folder / f"{len(self.commands)}-{Path(arguments[0]).name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*before, str(Path(sys.executable).parent / arguments[0]), *arguments[1:]],
                cwd=self.folder,
                env={
                    **os.environ,
                    "DATABASE_URL": self.database,
                    "PYTHONPATH": str(ROOT),
                    "ZEKE_JOBS_HEARTBEAT": "0.5",
                    **self.environment,
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.commands.append(Command(process, log))
        return self.commands[-1]

    def workers(self, *, processes: int = 1, threads: int = 4, **environment: str) -> Command:
        """``dramatiq zeke_jobs.actors``."""
        return self.run("dramatiq", "zeke_jobs.actors", "-p", str(processes), "-t", str(threads), **environment)

    def scheduler(self, **environment: str) -> Command:
        """``periodiq zeke_jobs.actors``."""
        return self.run("periodiq", "zeke_jobs.actors", **environment)

    def ready(self, conn: Connection, count: int, timeout: float = 30.0) -> None:
        """Wait until so many worker processes have announced themselves."""
        eventually(
            lambda: scalar(conn, "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'") >= count, timeout, self
        )

    def stop(self) -> None:
        """Kill whatever still runs."""
        for command in self.commands:
            if command.process.poll() is None:
                command.kill()

    def logs(self) -> str:
        return "\n".join(f"── {c.log.name}\n{c.text()[-4000:]}" for c in self.commands)


def scalar(conn: Connection, sql: str, *params: Any) -> Any:
    """The first value of the first row."""
    with conn.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    return None if row is None else row[0]


def eventually(condition: Callable[[], Any], timeout: float = 30.0, fleet: Fleet | None = None) -> Any:
    """Poll what other processes bring about."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < end, f"it did not come about in {timeout} s\n{fleet.logs() if fleet else ''}"
        time.sleep(0.05)
    return value


@pytest.fixture
def fleet(database: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, database)
    yield fleet
    fleet.stop()


@pytest.fixture
def effects(conn: Connection) -> Connection:
    """Tables that the handlers write to: an effect once per job, and a trace of every start."""
    with conn.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE effect (job uuid PRIMARY KEY, n integer);
            CREATE TABLE trace (job uuid, what text, at timestamptz NOT NULL DEFAULT clock_timestamp())"""
        )
    return conn
