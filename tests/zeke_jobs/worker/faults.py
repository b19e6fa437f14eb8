"""A worker runs in one thread, its connection breaks at the n-th statement, and another worker finishes its jobs."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import NOON, Patch, load
from zeke_jobs.postgres.pool import Cursor
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.testing import JobRunner, set_clock

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
MOST = 400  # A life that runs more statements than MOST never ends.

#: The connections in SPARED, by which a test reads, are never broken.
SPARED: list[Any] = []


class Line:
    """The class counts the worker's statements, and breaks the connection before or after the n-th statement."""

    def __init__(self, monkeypatch: Patch) -> None:
        self.left: int | None = None
        self.after = True
        plain = Cursor.execute

        def execute(cursor: Any, query: Any, vars: Any = None) -> None:  # noqa: A002 (psycopg2's own name)
            if self.left is not None and cursor.connection not in SPARED:
                self.left -= 1
                if self.left == 0:
                    self.left = None
                    if self.after:
                        plain(cursor, query, vars)
                    cursor.connection.close()
                    raise psycopg2.OperationalError("the line is cut")
            plain(cursor, query, vars)

        monkeypatch.setattr(Cursor, "execute", execute)

    @contextmanager
    def cut(self, number: int, *, after: bool) -> Iterator[None]:
        self.left, self.after = number, after
        try:
            yield
        finally:
            self.left = None


class Life:
    """Workers drain a database one after another; each worker is lost when its connection breaks."""

    def __init__(self, url: str, conn: Connection, tasks: str) -> None:
        self.conn = conn
        SPARED[:] = [conn]
        config = load(tasks)
        applying.sync(conn, config)
        self.run = JobRunner(config, url)
        self.at = NOON
        set_clock(conn, self.at)

    def drain(self) -> None:
        for _ in range(50):
            try:
                if not self.run(raises=False) and not self._left_behind():
                    return
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                rows(self.conn, "DELETE FROM zeke_jobs.worker")
                self._rescue()
        raise AssertionError("the queue was not drained by fifty workers")

    def _left_behind(self) -> bool:
        """Say whether jobs wait for a retry or are still claimed by a lost worker, and if so, let time pass."""
        left = """SELECT count(*) FROM zeke_jobs.queue
          WHERE state = 'consumed' OR state = 'queued' AND attempt > 0 AND extra ->> 'waiting_for' IS NULL"""
        found = bool(value(self.conn, left))
        if found:
            self._rescue()
        return found

    def _rescue(self) -> None:
        self.later(61)
        SQL.all(self.conn, "worker/rescue")

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        set_clock(self.conn, self.at)


def every_break(line: Line, act: Callable[[], None], verify: Callable[[], None], reset: Callable[[], None]) -> int:
    """Run ``act`` again and again, break another statement each time, and verify; return the number of statements.

    By default every fifth statement is broken, from a random start. With ``ZEKE_TEST_DEEP=1`` every statement is
    broken, once before and once after it runs.
    """
    count = 0
    for after in (True, False) if DEEP else (True,):
        for number in range(1, MOST) if DEEP else range(random.randint(1, 5), MOST, 5):
            reset()
            with line.cut(number, after=after):
                act()
                left = line.left
            verify()
            if left is not None:
                count = number - left
                break
        else:
            raise AssertionError(f"more than {MOST} statements")
    return count
