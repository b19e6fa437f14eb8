"""Any value that SQL and Python accept passes a real producer, and delays no other job."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dramatiq
import psycopg2
from dramatiq.worker import _ConsumerThread, _WorkerThread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zeke_jobs
from tests.zeke_jobs import strange
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker import builder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    import pytest
    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.worker.conftest import Jobs
    from zeke_jobs.worker.broker import JobBroker

TASKS = """
  honest: {handler: 'H:echo'}
  strange: {handler: 'H:strange', retry: {limit: 1, delay: 1ms}}
"""
EXAMPLES, AT_ONCE, THREADS = 40 if os.environ.get("ZEKE_TEST_DEEP") else 8, 80, 16
DUE = """SELECT state FROM zeke_jobs.queue
  WHERE state = 'consumed' OR state = 'queued' AND run_at <= now() AND (expires_on IS NULL OR expires_on > now() OR attempt > 0)
  ORDER BY state
  LIMIT 1"""


class Loop:
    """A worker whose producer and threads are stepped by hand."""

    def __init__(self, broker: JobBroker, monkeypatch: pytest.MonkeyPatch) -> None:
        worker = dramatiq.Worker(broker, worker_threads=THREADS)
        monkeypatch.setattr("threading.Thread.start", _unless_producer(threading.Thread.start))
        broker.emit_before("worker_boot", worker)
        parts: dict[str, Any] = {"broker": broker, "work_queue": worker.work_queue, "worker_timeout": 100}
        thread = _ConsumerThread(queue_name="default", prefetch=1, **parts)
        thread.consumer = broker.consume("default")
        self.runner = _WorkerThread(consumers={"default": thread}, **parts)
        self.worker = worker
        self.producer = broker.process.producer
        self.looks = 0

    def step(self) -> set[str]:
        """One look at most, and all that it lets start is run; answers the jobs that were."""
        queue, want = self.producer._next()  # type: ignore[attr-defined]
        if queue is not None:
            self.looks += 1
            self.producer._look(queue, want)  # type: ignore[attr-defined]
        ran = set()
        while not self.worker.work_queue.empty():
            _, message = self.worker.work_queue.get()
            self.runner.process_message(message)
            ran.add(message.message_id)
        return ran

    def looks_until(self, job: UUID) -> int:
        """How many looks it takes until a job runs."""
        began = self.looks
        while str(job) not in self.step():
            assert self.looks < began + 50, "the job does not run"
        return self.looks - began


def _unless_producer(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    return lambda thread: None if thread.name == "producer" else start(thread)


@contextmanager
def loop(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    broker = builder.build(load(TASKS), database)
    one = Loop(broker, monkeypatch)
    try:
        yield one
    finally:
        broker.emit_after("worker_shutdown", one.worker)
        broker.close()


def accepted(client: Connection, owner: Connection, sent: strange.Sent) -> bool:
    """Whether a sender's door lets it through."""
    payload = f'{{"x": {sent.text}, "do": "{sent.do}"}}'
    if sent.door == "python":
        try:
            zeke_jobs.send("strange", json.loads(payload), connection=owner, **_of_python(sent.options))
        except (ValueError, TypeError, RecursionError, ZekeJobsError):
            return False  # and no error of the database: what Python accepts, SQL accepts
        return True
    options = {"eta": 1, **sent.options} if sent.options else {}
    message = f'{{"actor_name": "strange", "args": [], "kwargs": {payload}, "options": {json.dumps(options)}, "message_timestamp": 1}}'
    try:
        with (client if sent.door == "sql" else owner).cursor() as cursor:
            if sent.door == "sql":
                cursor.execute("SELECT zeke_jobs.send('strange', %s, %s)", (payload, json.dumps(sent.options)))
            else:
                sql = "INSERT INTO zeke_jobs.queue (message_id, queue_name, message) VALUES (gen_random_uuid(), 'default', %s)"
                cursor.execute(sql, (message,))
    except (psycopg2.Error, ValueError):
        return False
    return True


def _of_python(options: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in options.items() if name != "traceparent" and value != ""}
    for name in ("run_at", "expires", "scheduled_for"):
        if isinstance(said.get(name), str):
            said[name] = datetime.fromisoformat(said[name])
    return said


def test_no_honest_job_waits_longer_beside_whatever_was_accepted(
    jobs: Jobs, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.use(TASKS)
    sign_up(conn)
    counts = {"sql": 0, "python": 0, "stock": 0}
    with loop(database, monkeypatch) as run, closing(connect(as_member(database, roles.CLIENT))) as client:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(sends=st.lists(strange.sends, min_size=AT_ONCE, max_size=AT_ONCE))
        def beside(sends: list[strange.Sent]) -> None:
            jobs.add("strange", AT_ONCE)
            plain = run.looks_until(jobs.add("honest")[0])
            drain()
            for sent in sends:
                counts[sent.door] += accepted(client, conn, sent)
            assert run.looks_until(jobs.add("honest")[0]) <= plain
            drain()

        def drain() -> None:
            until = run.looks + 500
            while left := jobs.rows(DUE):
                if left[0]["state"] == "queued":
                    run.step()
                else:
                    time.sleep(0.005)  # its end is being written
                assert run.looks < until, jobs.rows(
                    "SELECT message_id::text, state, task, attempt, attempts FROM zeke_jobs.queue WHERE state <> 'done'"
                )[:3]

        beside()
    assert min(counts.values()) > EXAMPLES * AT_ONCE / 12, counts
    assert sum(counts.values()) > EXAMPLES * AT_ONCE / 2.5, counts
    ended = jobs.rows("SELECT state, count(*) AS n FROM zeke_jobs.queue WHERE task = 'strange' GROUP BY 1 ORDER BY 1")
    assert {row["state"] for row in ended} == {"queued", "rejected", "done"}, ended
    # The failed jobs failed in their handlers, not because they could not be read.
    assert (
        jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE strpos(attempts::text, 'a row that a worker can read') > 0")
        == []
    )
