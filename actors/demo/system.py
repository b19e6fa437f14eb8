"""The demo's system: a server of its own, a fresh database, and the real command lines as processes."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from zeke_jobs import config
from zeke_jobs.core import environment, logs
from zeke_jobs.postgres.migrate import migrate
from zeke_jobs.postgres.own_server import own_server, place
from zeke_jobs.postgres.pool import connect
from zeke_jobs.supervise.processes import system
from zeke_jobs.supervise.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DATABASE = "zeke_demo"
_LOOPBACK = ["127.0.0.0/8", "::1/128"]
_GRACE = 15.0  # seconds for workers to end
_TAIL = 40  # lines of the log that a failed run shows


class EndedError(Exception):
    """A command ended too early."""


class DemoSystem:
    """Database, configuration and processes of one run.

    Attributes:
        folder: The folder of all its files.
        url: Address of the database.
        log: The workers' and scheduler's log.
        config_path: Their jobs.yaml.
    """

    def __init__(self, folder: Path, url: str, config_path: Path) -> None:
        self.folder = folder
        self.url = url
        self.config_path = config_path
        self.log = folder / "demo.log"
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._file = self.log.open("w", encoding="utf-8")
        logs.configure(self._file, json=False)
        env = {
            **os.environ,
            environment.DATABASE_URL: url,
            environment.CONFIG: str(config_path),
            environment.LOG_FORMAT: "console",
        }
        self._running = Supervisor(system(env, grace=_GRACE), self._write, grace=_GRACE)
        self._pids: dict[str, int] = {}

    def step(self) -> None:
        """Start the processes that do not run yet, and check that all stay alive.

        Raises:
            EndedError: a command ended.
        """
        self._running.step()
        pids = self._running.pids
        for name, pid in self._pids.items():
            if pids.get(name) != pid:
                raise EndedError(f"expected the {name} to run until the end, got an end before")
        self._pids = pids

    def stop(self) -> None:
        """End the processes gracefully."""
        self._running.stop()
        while self._running.step():
            time.sleep(0.05)
        self._file.close()

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self._tail)

    def _write(self, name: str, line: str) -> None:
        text = f"{name:<9} | {line}"
        self._tail.append(text)
        if not self._file.closed:
            self._file.write(text + "\n")
            self._file.flush()


@contextmanager
def demo_system(data_dir: Path, *, fetch_from_here: bool) -> Iterator[DemoSystem]:
    """Server, database and configuration; the processes start at the first ``step`` and end with the block.

    ``fetch_from_here`` lets the engine fetch from this machine, where the sample site is.

    Raises:
        ConfigurationError: jobs.yaml is wrong.
        ZekeJobsError: another demo runs in this folder.
    """
    real = environment.config_path()
    checked = config.load(real)
    with own_server(data_dir, "the demo") as server:
        folder = place(data_dir)
        path = _allow_loopback(real, folder) if fetch_from_here else real.absolute()
        url = _fresh_database(server)
        with closing(connect(url)) as conn:
            migrate(conn, checked.migrations)
        made = DemoSystem(folder, url, path)
        try:
            yield made
        finally:
            made.stop()


def database_url(server: str) -> str:
    """The demo's database on a server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{_DATABASE}"))


def _fresh_database(server: str) -> str:
    with closing(connect(server)) as conn, conn.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {_DATABASE}")
    return database_url(server)


def _allow_loopback(real: Path, folder: Path) -> Path:
    """The real jobs.yaml with one difference: its engine may fetch from this machine."""
    settings: dict[str, Any] = yaml.safe_load(real.read_text(encoding="utf-8"))
    settings["services"]["engine"]["allow_networks"] = _LOOPBACK
    path = folder / "jobs.yaml"
    note = f"# Made by the demo from {real.name}; the one difference is services.engine.allow_networks.\n"
    path.write_text(note + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path
