"""A job's context has a connection, reports, leases and steps. No later attempt repeats a step that has ended."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from copy import deepcopy
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import new_type, register_type

import zeke_jobs
from tests.each import each
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Running, a_claim, a_context, at_once, failure, jobs_of
from zeke_jobs.client import reading
from zeke_jobs.errors import ClaimLost, Defer
from zeke_jobs.payload.json_text import UnfitForJson
from zeke_jobs.postgres.pool import Pool, connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import FakeContext
from zeke_jobs.worker.run import interrupts
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.reports import take_lease


@contextmanager
def context(pool: Pool, running: interrupts.Running | None = None) -> Iterator[JobContext]:
    made = a_context(pool, a_claim(uuid4()), running=running)
    yield made
    made.close()


@each(
    "said words",
    ((float("nan"),), "done: expected a finite number, got nan"),
    ((1, float("inf")), "total: expected a finite number, got inf"),
    ((10**5000,), "done: expected an integer of at most 64 bits"),
    ((1, None, "a\0b"), "note: expected text without NUL characters"),
    (("half",), "expected done as a number, got 'half'"),
    ((1, [2]), "expected total as a number, got [2]"),
)
def test_progress_that_nobody_could_read_is_refused_in_the_handler(said: tuple[Any, ...], words: str) -> None:
    with context(Pool(None)) as ctx, pytest.raises((TypeError, ValueError), match=re.escape(words)):
        ctx.progress(*said)


def test_a_handler_whose_connection_died_gets_another_where_its_thread_has_only_one(pool: Pool) -> None:
    running, stop_async = interrupts.Running(60), print  # Stopping an async handler needs no connection.
    running.stoppers.append(stop_async)
    with context(pool, running) as ctx, ThreadPoolExecutor(1) as thread:
        ctx.db.close()
        assert thread.submit(lambda: value(ctx.db, "SELECT 1")).result(10.0) == 1
        assert running.stoppers == [stop_async, ctx.db.cancel]
    assert running.stoppers == []


STATE = """SELECT jsonb_build_object('session', pg_backend_pid(),
  'user', current_user, 'schemas', current_setting('search_path'), 'timeout', current_setting('statement_timeout'),
  'zone', current_setting('TimeZone'), 'isolation', current_setting('default_transaction_isolation'),
  'readonly', current_setting('default_transaction_read_only'), 'named', current_setting('application_name'),
  'temporary', to_regclass('pg_temp.left_over') IS NOT NULL, 'prepared', (SELECT count(*) FROM pg_prepared_statements),
  'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
  'listens', (SELECT count(*) FROM pg_listening_channels()), 'cursors', (SELECT count(*) FROM pg_cursors))"""
LEFT = """
  CREATE TEMP TABLE left_over (n integer); PREPARE left_over AS SELECT 1; LISTEN left_over; SELECT pg_advisory_lock(7);
  DECLARE left_over CURSOR WITH HOLD FOR SELECT 1; SET search_path = pg_catalog; SET statement_timeout = '1s'; SET TimeZone = 'Asia/Tokyo';
  SET application_name = 'left over'; SET default_transaction_isolation = 'serializable'; SET default_transaction_read_only = on;
  SET ROLE pg_read_all_data"""


CHANGES: dict[str, Callable[[Any], Any]] = {
    "autocommit": lambda conn: setattr(conn, "autocommit", False),
    "cursors": lambda conn: setattr(conn, "cursor_factory", None),
    "encoding": lambda conn: conn.set_client_encoding("LATIN1"),
    "types": lambda conn: register_type(new_type((25,), "SHOUT", lambda text, _: text and text.upper()), conn),
}


@each("way", ["db", "transaction", *CHANGES])
def test_what_a_handler_does_to_its_connection_does_not_reach_the_next_job(pool: Pool, way: str) -> None:
    with context(pool) as first:
        clean = value(first.db, STATE)
    with context(pool) as second:
        second._fence = lambda *_: None  # type: ignore[method-assign] # no such job exists
        with second.transaction() if way == "transaction" else nullcontext(second.db) as conn:
            CHANGES[way](conn) if way in CHANGES else rows(conn, LEFT)
    with context(pool) as third:
        state = value(third.db, STATE)
        assert value(third.db, "SELECT 'so it is'::text") == "so it is"
    # If a handler changed psycopg2's connection object, the pool replaces the connection.
    assert (state.pop("session") == clean.pop("session")) is (way not in CHANGES)
    assert state == clean
    assert clean["isolation"] == "read committed"


def test_a_step_has_a_unique_name_and_a_json_result_and_is_kept_with_its_transaction(jobs: Jobs, pool: Pool) -> None:
    jobs.add("a")
    (claimed,) = jobs.claim(jobs.me, 1)
    ctx = a_context(pool, a_claim(claimed["message_id"], claimed["claim"], "a"), jobs.me)
    pair: object = ctx.step("pair", lambda: (1, None))
    assert pair == [1, None], "as from the table"
    for name, words in (("pair", "'pair' twice"), ("", "1 to 256 bytes")):
        with pytest.raises(ValueError, match=words):
            ctx.step(name, int)
    for result in (object(), "x" * 1_100_000):
        with pytest.raises(UnfitForJson):
            ctx.step(f"unfit {type(result)}", deepcopy, result)
    with pytest.raises(ValueError, match="no"), ctx.transaction():
        ctx.step("one", int)
        raise ValueError("no")
    with ctx.transaction():
        ctx.step("two", int)
        assert reading.steps(ctx.job_id) == ["pair"]
    jobs.rows("UPDATE zeke_jobs.queue SET claim = claim + 1")
    with pytest.raises(ClaimLost, match="three was not kept"):
        ctx.step("three", int)
    assert reading.steps(ctx.job_id) == ["pair", "two"]


def test_a_fake_context_has_results_of_earlier_steps_and_remembers_leases() -> None:
    ctx = FakeContext(steps={"first": [7, 7]}, taken_leases=[HOST])
    assert [ctx.step("first", int), ctx.step("second", str, 5)] == [[7, 7], "5"]
    third: object = asyncio.run(ctx.step("third", asyncio.sleep, 0, (1, 2)))
    assert third == [1, 2]
    assert ctx.steps == {"first": [7, 7], "second": "5", "third": [1, 2]}
    with ctx.lease("host/example.com", limit=3):
        pass
    with pytest.raises(Defer, match=f"lease {HOST} is taken by another job"), ctx.lease(HOST, wait=7):
        pass
    assert ctx.leased == ["host/example.com"]


HOST = "host/example.org"


jobs = jobs_of("  a: {handler: 'H:echo', retry: {limit: 5}}", at_noon=False)


class Held:
    def __init__(self, jobs: Jobs, count: int) -> None:
        self.jobs, self.worker = jobs, jobs.worker()
        jobs.add("a", count)
        self.rows = jobs.claim(self.worker, max(count, 1))
        self.claims = [a_claim(row["message_id"], row["claim"], "a") for row in self.rows]

    def take(self, n: int, name: str = HOST, limit: int = 1, conn: Any = None) -> None:
        take_lease(conn or self.jobs.conn, name, limit, self.claims[n], self.worker)


@pytest.mark.parametrize("outcome", ["retry", "deferred", "returned", "failed", "cancelled", "completed", "given back"])
def test_a_lease_ends_with_its_block_and_with_the_attempt(jobs: Jobs, outcome: str) -> None:
    held = Held(jobs, 2)
    held.take(0)
    if outcome == "completed":
        jobs.complete(held.worker, held.rows[:1])
    elif outcome == "given back":
        SQL.run(jobs.conn, "lease/release", name=HOST, job=held.claims[0].id, claim=held.claims[0].number)
    else:
        jobs.finish(held.worker, held.rows[0], outcome)
    held.take(1)


def test_a_lease_of_a_lost_worker_ends_with_the_rescue_and_the_next_claim_does_not_inherit_it(jobs: Jobs) -> None:
    jobs.at()
    dead, alive = Held(jobs, 1), Held(jobs, 1)
    dead.take(0)
    for seconds in (10, 21):
        jobs.at(seconds)
        jobs.beat(alive.worker)
    with pytest.raises(Defer):
        alive.take(0)
    SQL.all(jobs.conn, "worker/rescue")
    alive.take(0)
    again = Held(jobs, 0)
    assert [claim.id for claim in again.claims] == [claim.id for claim in dead.claims]
    with pytest.raises(Defer):
        again.take(0)


def test_of_many_no_more_than_the_limit_get_a_lease_and_others_learn_who_has_it(jobs: Jobs, database: str) -> None:
    held = Held(jobs, 4)

    def work(mine: Jobs, n: int) -> list[tuple[str, bool]]:
        answers, claim = [], {"job": held.claims[n].id, "claim": held.claims[n].number}
        for _ in range(1000):
            row = SQL.only(mine.conn, "lease/take", name=HOST, limit=1, worker=held.worker, **claim)
            answers.append((row["outcome"], row["outcome"] == "held" or bool(row["since"])))
            if row["outcome"] == "held":
                SQL.run(mine.conn, "lease/release", name=HOST, **claim)
        return answers

    found = {answer for answers in at_once(database, 4, work) for answer in answers}
    assert found == {("held", True), ("taken", True)}
    with closing(connect(database)) as other, transaction(other):
        held.take(0, conn=other)
        jobs.rows("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):  # It waits, to count the lease if the other one commits.
            held.take(1)


def test_a_lost_or_cancelled_job_gets_no_lease_and_leases_that_nobody_gave_back_are_removed(jobs: Jobs) -> None:
    held = Held(jobs, 2)
    with pytest.raises(ValueError, match="expected a limit of at least 1 for the lease"):
        held.take(0, limit=0)
    held.take(0, "host/one")
    held.take(1, "host/two")
    jobs.finish(held.worker, held.rows[0], "retry")
    jobs.tidy()
    assert jobs.rows("SELECT name FROM zeke_jobs.lease") == [{"name": "host/two"}]
    zeke_jobs.cancel(held.claims[1].id)
    for one in (0, 1):
        with pytest.raises(ClaimLost, match="gets no lease"):
            held.take(one)


LEASING = """
  long: {handler: 'H:lease_and_wait'}
  twice: {handler: 'H:lease_twice', retry: {limit: 0}}
  progress: {handler: 'H:progress_beside_db', timeout: 5s, retry: {limit: 0}}
"""


def test_a_job_waits_for_a_lease_but_not_for_connections_of_handlers(running: Running, jobs: Jobs) -> None:
    with running(LEASING, threads=2):
        first = zeke_jobs.send("long", {"story_id": "example.org"}).id
        eventually(lambda: handlers.CALLS)
        second = zeke_jobs.send("long", {"story_id": "example.org"}).id
        why = eventually(lambda: zeke_jobs.status(second).waiting_for)
        handlers.GATE.set()
        for job in (first, second, *(zeke_jobs.send("progress").id for _ in range(4))):
            zeke_jobs.wait(job, timeout=20)
        error = failure("twice").attempts[-1]["error"]
    assert f"lease {HOST} is taken by long {first} since" in why
    assert zeke_jobs.status(second).retry_count == 0
    assert error["message"] == f"expected a lease that this job does not hold, got {HOST!r} for the second time"
    assert jobs.rows("SELECT 1 FROM zeke_jobs.lease") == []
