"""While a client's or operator's transaction is open, only the ends that need its locks wait."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import ended
from zeke_jobs.postgres import roles
from zeke_jobs.worker.broker import JobBroker

TASKS = """
  honest: {handler: 'H:echo'}
  gated: {handler: 'H:gated'}
  failing: {handler: 'H:gated_failure', retry: {limit: 0}}
"""
#: Each entry has a role, and the statements of its open transaction; %(jobs)s are running jobs of %(batch)s.
HELD = {
    "send-into-batch": (roles.CLIENT, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.send('honest', '{}', jsonb_build_object('batch', %(batch)s::text))"),
    "close-batch": (roles.CLIENT, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.close_batch(%(batch)s)"),
    "cancel": (roles.OPERATOR, "SELECT zeke_jobs.change_jobs('cancel', jsonb_build_object('id', j)) FROM unnest(%(jobs)s::uuid[]) AS j"),
    "cancel-batch": (roles.OPERATOR, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.cancel_batch(%(batch)s, '', '')"),
    "change-jobs": (roles.OPERATOR, "SELECT zeke_jobs.change_jobs('cancel', '{\"status\": \"active\"}')"),
}  # fmt: skip


def test_an_open_transaction_delays_the_ends_that_need_its_locks_and_nothing_else(
    database: str,
    conn: Connection,
    running: Callable[..., AbstractContextManager[JobBroker]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sign_up(conn)
    with running(TASKS, threads=8):
        for name, (role, statement) in HELD.items():
            handlers.GATE.clear()
            monkeypatch.setattr(handlers, "CALLS", [])
            conn.cursor().execute("SELECT zeke_jobs.open_batch(%s)", (name,))
            sent = [zeke_jobs.send("gated", batch=name).id for _ in range(2)]
            sent += [zeke_jobs.send("failing", batch=name).id for _ in range(2)]
            eventually(lambda: len(handlers.CALLS) == 4)
            with closing(psycopg2.connect(as_member(database, role))) as other, other.cursor() as cursor:
                cursor.execute(statement, {"jobs": [str(one) for one in sent], "batch": name})
                handlers.GATE.set()
                begun = time.monotonic()
                for number in range(10):
                    other_job = zeke_jobs.send("honest", {"n": number})
                    assert zeke_jobs.wait(other_job.id, timeout=5)["n"] == number
                assert time.monotonic() - begun < 8, name  # No job waits two seconds for the lock.
                other.rollback()
            assert {ended(job).status for job in sent} <= {"completed", "failed"}
