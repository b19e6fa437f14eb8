"""A worker's life in one thread with connections that break after the n-th statement: its jobs are rescued, and another one goes on."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import NOON, load
from zeke_jobs.postgres.pool import Cursor
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.testing import JobRunner, set_clock

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
MOST = 400  # statements; a life that needs more does not end

#: The connection by which a test itself looks, which is never cut.
SPARED: list[Any] = []


class Line:
    """Counts the statements of our own connections; the n-th breaks its connection, before it is run or after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Workers, one after another, that drain the queue of a database; each is lost when its connection breaks."""

    def __init__(self, url: str, conn: Connection, tasks: str) -> None:
        self.conn = conn
        SPARED[:] = [conn]
        config = load(tasks)
        applying.sync(conn, config)
        self.run = JobRunner(config, url)
        self.at = NOON
        set_clock(conn, self.at)

    def drain(self) -> None:
        """Work until nothing is due."""
        for _ in range(50):
            try:
                if not self.run(raises=False) and not self._left_behind():
                    return
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                rows(self.conn, "DELETE FROM zeke_jobs.worker")
                self._rescue()
        raise AssertionError("the queue was not drained by fifty workers")

    def _left_behind(self) -> bool:
        """Whether jobs wait for a retry, or are a lost worker's still, whose rows its connection had locked; then time passes."""
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
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        set_clock(self.conn, self.at)


def every_break(line: Line, act: Callable[[], None], verify: Callable[[], None], reset: Callable[[], None]) -> int:
    """Act with breaks after statements, one each time, and verify; answers how many statements an unbroken act has.

    Every fifth statement, from one of the first five that is drawn anew each time. With ``ZEKE_TEST_DEEP=1`` each statement,
    and a break before it too, which leaves the same in the database as a break after the one before.
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
