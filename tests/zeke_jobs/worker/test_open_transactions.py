"""A client's or an operator's transaction stays open: the ends that need its locks come later, and nothing else waits."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.postgres.members import as_member, sign_up
from tests.zeke_jobs.worker import handlers
from zeke_jobs.postgres import roles

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker.broker import JobBroker

TASKS = """
  honest: {handler: 'H:echo'}
  gated: {handler: 'H:gated'}
  failing: {handler: 'H:gated_failure', retry: {limit: 0}}
"""
#: The role, and what its transaction does before it stays open. %(jobs)s are jobs that run.
HELD = {
    "send-into-batch": (roles.CLIENT, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.send('honest', '{}', '{\"batch\": \"b\"}')"),
    "close-batch": (roles.CLIENT, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.close_batch('b')"),
    "cancel": (roles.OPERATOR, "SELECT zeke_jobs.change_jobs('cancel', jsonb_build_object('id', j)) FROM unnest(%(jobs)s::uuid[]) AS j"),
    "cancel-batch": (roles.OPERATOR, "SET CONSTRAINTS ALL IMMEDIATE; SELECT zeke_jobs.cancel_batch('b', '', '')"),
    "change-jobs": (roles.OPERATOR, "SELECT zeke_jobs.change_jobs('cancel', '{\"status\": \"active\"}')"),
}  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_an_open_transaction_delays_the_ends_that_need_its_locks_and_nothing_else(
    name: str,
    database: str,
    conn: Connection,
    running: Callable[..., AbstractContextManager[JobBroker]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    role, statement = HELD[name]
    sign_up(conn)
    handlers.GATE.clear()
    monkeypatch.setattr(handlers, "CALLS", [])
    with running(TASKS, threads=8):
        with conn.cursor() as cursor:
            cursor.execute("SELECT zeke_jobs.open_batch('b')")
        ended = [zeke_jobs.send("gated", batch="b").id for _ in range(2)]
        ended += [zeke_jobs.send("failing", batch="b").id for _ in range(2)]
        eventually(lambda: len(handlers.CALLS) == 4)
        with closing(psycopg2.connect(as_member(database, role))) as other, other.cursor() as cursor:
            cursor.execute(statement, {"jobs": [str(one) for one in ended]})
            handlers.GATE.set()
            begun = time.monotonic()
            for number in range(20):
                sent = zeke_jobs.send("honest", {"n": number})
                assert zeke_jobs.wait(sent.id, timeout=5)["n"] == number
            assert time.monotonic() - begun < 15  # and not two seconds for each
            other.rollback()
        eventually(lambda: {zeke_jobs.status(job).status for job in ended} <= {"completed", "failed"})
