"""A worker's life in one thread with connections that break after the n-th statement: its jobs are rescued, and another one goes on."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import NOON, load
from zeke_jobs.errors import ClaimLost
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import Cursor, Pool, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import boot
from zeke_jobs.testing import set_clock
from zeke_jobs.worker.claim.answer import Asking, ask, with_messages
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import Completed, of_exception
from zeke_jobs.worker.finish.writer import EndingWriter
from zeke_jobs.worker.run.interrupts import Running
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.reports import Shared
from zeke_jobs.worker.runtime import Runtime

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
    """Workers, one after another, that drain the queue of a database."""

    def __init__(self, url: str, conn: Connection, tasks: str) -> None:
        self.url, self.conn = url, conn
        SPARED[:] = [conn]
        self.config = load(tasks)
        boot.sync(conn, self.config)
        self.runtime = Runtime(self.config)
        self.at = NOON
        set_clock(conn, self.at)

    def drain(self) -> None:
        """Work until nothing is due; where a connection breaks, the worker is lost, and another one comes."""
        for _ in range(50):
            try:
                if not self._work() and not self._left_behind():
                    return
            except psycopg2.OperationalError:
                self.later(60)
                SQL.all(self.conn, "worker/rescue")
        raise AssertionError("the queue was not drained by fifty workers")

    def _left_behind(self) -> bool:
        """Whether jobs wait for a retry, or are a lost worker's still, whose rows its connection had locked; then time passes."""
        with self.conn.cursor() as cursor:
            cursor.execute(
                """SELECT count(*) FILTER (WHERE state = 'consumed'), count(*) FILTER (WHERE state = 'queued')
                FROM zeke_jobs.queue WHERE state = 'consumed' OR state = 'queued' AND attempt > 0 AND extra ->> 'waiting_for' IS NULL"""
            )
            held, waiting = cursor.fetchone() or (0, 0)
        if held or waiting:
            self.later(61)
            SQL.all(self.conn, "worker/rescue")
        return bool(held or waiting)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        set_clock(self.conn, self.at)

    def _work(self) -> bool:
        """Claim one job after another until nothing is due; True when something ran."""
        worker, ran = uuid4(), False
        with closing(connect(self.url)) as conn:
            tasks = list(self.config.tasks)
            SQL.run(
                conn, "worker/register", id=worker, kind="worker", host="here", pid=1, version="1", queues=["default"], tasks=tasks,
                threads=8, revision=1, file_revision=1, lost_after=timedelta(seconds=20),
            )  # fmt: skip
            SQL.one(conn, "worker/heartbeat", worker=worker, busy=0, revision=1, stopping=False)
            while message := self._claim(conn, worker):
                ran = True
                self._run(conn, worker, message)
            SQL.run(conn, "worker/leave", worker=worker)
        return ran

    def _claim(self, conn: Connection, worker: Any) -> JobMessage | None:
        asked = time.monotonic()
        who = Asking(worker, list(self.config.tasks))
        found = with_messages(conn, who, ask(conn, who, "default", 1, (1, 0), is_empty=True).jobs)
        return JobMessage(found[0], "default", asked) if found else None

    def _run(self, conn: Connection, worker: Any, message: JobMessage) -> None:
        claim, pool = message.claim, Pool(self.url)
        task = self.runtime.tasks[claim.task]
        claim.started = claim.received
        context = JobContext(claim, Shared(worker, self.runtime, pool, pool), Running(60), task.settings)
        try:
            payload = task.handler.payload_model.model_validate(message.kwargs)
            outcome: Any = Completed(json_text.encode(task.handler.function(payload, context)))
        except (psycopg2.OperationalError, ClaimLost):
            raise psycopg2.OperationalError("the worker dies with its line") from None
        except Exception as error:  # noqa: BLE001 (as the executor)
            outcome = of_exception(error, self.runtime.policy(claim.task), retries=claim.retries)
        finally:
            pool.close()
        if not context.completed:
            list(EndingWriter(worker).write(conn, [(claim, outcome)]))


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
