"""A server of a run, embedded or another, with the durability of production, and the cost of its processes."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from argparse import ArgumentTypeError
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2

from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class Server:
    """A running server; each system under measurement gets databases of its own. ``about`` says which one it is."""

    folder: Path
    url: str
    about: str

    def create(self, name: str) -> str:
        """Make an empty database and return its URL."""
        conn = connect(self.url)
        try:
            run(conn, f"CREATE DATABASE {name}")
        finally:
            conn.close()
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Drop a database, whoever is connected."""
        conn = connect(self.url)
        try:
            run(conn, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")
        finally:
            conn.close()

    def cpu(self) -> float:
        """Seconds of CPU that all server processes have used so far, ended ones included."""
        postmaster = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]))
        times = postmaster.cpu_times()
        return float(times.children_user + times.children_system) + cpu(postmaster.children(recursive=True))

    def statements(self) -> int:
        """How many statements the server has logged, of databases that log theirs."""
        log = (self.folder / "data" / "log").read_text(errors="replace")
        return sum("LOG:  statement: " in line or "LOG:  execute " in line for line in log.splitlines())

    def flush(self) -> float:
        """Milliseconds that the disk under the server takes now to make a page durable: the median of many."""
        times = []
        with (self.folder / "flush").open("wb", buffering=0) as file:
            for _ in range(200):
                file.seek(0)
                file.write(b"x" * 8192)
                begin = time.perf_counter()
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1e3


def binaries(named: str) -> Path | None:
    """The value of ``--server``: ``embedded``, or the folder of another PostgreSQL's programs.

    Raises:
        ArgumentTypeError: there is no such folder.
    """
    if named == "embedded":
        return None
    if not (Path(named) / "initdb").exists():
        raise ArgumentTypeError(
            f"expected a folder with PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got {named}"
        )
    return Path(named)


@contextmanager
def start(bin_dir: Path | None = None) -> Iterator[Server]:
    """A server for the length of the block, in a temporary folder: the embedded one, or another with its own defaults."""
    folder = Path(tempfile.mkdtemp(prefix="zeke-bench-"))
    try:
        url = embedded.ensure(folder, bin_dir=bin_dir)
        yield Server(folder, url, describe(url, bin_dir))
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


def describe(url: str, bin_dir: Path | None) -> str:
    """Which server it is, for the head of a table."""
    with closing(psycopg2.connect(url)) as conn:  # not ours, which switches JIT off
        version, jit = rows(conn, "SELECT split_part(current_setting('server_version'), ' ', 1), pg_jit_available()")[0]
    kind = "embedded" if bin_dir is None else "with its own defaults"
    return f"PostgreSQL {version} {kind}, JIT {'on' if jit else 'off'}"


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of CPU that these processes used so far."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def run(conn: Connection, sql: str, *params: Any) -> int:
    """Execute a statement; answers how many rows it touched."""
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return int(cursor.rowcount)


def rows(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall()


def scalar(conn: Connection, sql: str, *params: Any) -> Any:
    """The first value of the first row, None where there is none."""
    found = rows(conn, sql, *params)
    return found[0][0] if found else None


def vacuum(conn: Connection) -> None:
    """The work of autovacuum, done between rounds, so that each starts alike."""
    try:
        run(conn, "VACUUM (ANALYZE)")
    except psycopg2.errors.LockNotAvailable:  # pragma: no cover
        return
