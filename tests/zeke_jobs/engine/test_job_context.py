from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from tests.zeke_jobs.engine.conftest import a_claim
from zeke_jobs.interrupts import Running
from zeke_jobs.job_context import JobContext
from zeke_jobs.postgres import Pool


def context(pool: Pool, running: Running) -> JobContext:
    claim = a_claim(uuid4())
    runtime: Any = SimpleNamespace(revision=1)
    return JobContext(claim, uuid4(), runtime, pool, running, None, aside=pool)


def test_a_handler_whose_connection_died_gets_another_where_its_thread_has_only_one(database: str) -> None:
    pool, running = Pool(database, max_size=1), Running(60)
    stop_async = print  # what stops an async handler has nothing to do with a connection
    running.stoppers.append(stop_async)
    ctx = context(pool, running)
    ctx.db.close()
    answers: list[Any] = []

    def ask() -> None:
        with ctx.db.cursor() as cursor:
            cursor.execute("SELECT 1")
            answers.append(cursor.fetchone())

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(10.0)
    assert answers == [(1,)]
    assert running.stoppers == [stop_async, ctx.db.cancel]
    ctx.close()
    assert running.stoppers == []
    pool.close()
