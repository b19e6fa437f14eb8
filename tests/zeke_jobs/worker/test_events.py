"""A job that waits for an event uses no thread and no slot of a limit, and continues at the event or timeout."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.worker import flows, handlers
from tests.zeke_jobs.worker.conftest import NOON, Jobs, Patch
from tests.zeke_jobs.worker.faults import Life, Line, every_break
from zeke_jobs.core import bounds
from zeke_jobs.core.job import Event
from zeke_jobs.diagnosis import why
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.testing import FakeContext

TASKS = """
  await: {handler: 'F:await_event', retry: {limit: 0}}
  await-more: {handler: 'F:await_event', retry: {limit: 5}}
"""


@pytest.fixture
def life(jobs: Jobs, database: str) -> Life:
    return Life(database, jobs.conn, TASKS)


def outcome(job: Any) -> tuple[str, Any]:
    now = zeke_jobs.status(job)
    return now.status, now.output


def test_an_event_wakes_all_jobs_that_wait_for_it_with_its_data_and_no_other(life: Life) -> None:
    job, beside, elsewhere = (zeke_jobs.send("await", {"n": n}).id for n in (42, 42, 7))
    life.drain()
    now = zeke_jobs.status(job)
    assert (now.status, now.waiting_for, now.run_at) == ("created", "event callback/42", NOON + timedelta(hours=1))
    (found,) = [one for one in why.why(life.conn, job).reasons if one.kind == "waits-for-event"]
    assert "'callback/42'" in found.sentence
    assert "2026-03-10 13:00" in found.sentence
    zeke_jobs.emit("callback/42", {"status": "paid"})
    life.drain()
    said = ("completed", {"data": {"status": "paid"}, "timed_out": False, "attempt": 1})
    assert outcome(job) == outcome(beside) == said
    assert zeke_jobs.status(elsewhere).status == "created"


def test_a_timeout_is_an_outcome_of_its_own(life: Life) -> None:
    job = zeke_jobs.send("await", {"n": 42}).id
    life.drain()
    life.later(3601)
    life.drain()
    assert outcome(job) == ("completed", {"data": None, "timed_out": True, "attempt": 1})
    zeke_jobs.emit("callback/42")  # An event after the timeout changes nothing.
    life.drain()


def test_a_job_that_is_run_early_by_hand_waits_on_to_its_first_end(life: Life, jobs: Jobs) -> None:
    job = zeke_jobs.send("await-more", {"n": 1}).id
    life.drain()
    life.later(600)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now()")
    life.drain()
    assert zeke_jobs.status(job).run_at == NOON + timedelta(hours=1)


def test_an_emitter_that_does_not_commit_holds_up_no_worker(life: Life, jobs: Jobs, other_conn: Connection) -> None:
    job = zeke_jobs.send("await", {"n": 1}).id
    with transaction(other_conn):
        zeke_jobs.emit("callback/1", "late", connection=other_conn)
        life.drain()
        assert zeke_jobs.status(job).waiting_for == "event callback/1"
    life.drain()
    assert zeke_jobs.status(job).output["data"] == "late"


def test_names_data_and_timeouts_are_checked_by_sql_too(jobs: Jobs) -> None:
    for name, data in (("", "1"), ("x" * 1025, "1"), ("x", "[" * 101 + "]" * 101), ("x", None)):
        with pytest.raises(psycopg2.errors.InvalidParameterValue):
            jobs.rows("SELECT zeke_jobs.emit(%s, %s)", name, data)
    for call in (
        lambda: zeke_jobs.emit(""),
        lambda: zeke_jobs.emit("x", float("nan")),
        lambda: zeke_jobs.WaitFor("x" * 2000, 1),
        lambda: zeke_jobs.WaitFor("x", 1e12),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()


def test_the_data_of_an_event_are_at_most_what_a_job_may_give_back(life: Life, jobs: Jobs) -> None:
    job = zeke_jobs.send("await", {"n": 1}).id
    life.drain()
    many = "[" + ",".join(["10"] * 349_000) + "]"  # The text has 1,047,001 bytes, and jsonb adds half as many spaces.
    data = '"' + "x" * bounds.LARGEST + '"'
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="expected at most 1 MiB, got"):
        jobs.rows("SELECT zeke_jobs.emit('callback/1', %s)", data)
    with pytest.raises(ValueError, match="expected at most 1 MiB"):
        zeke_jobs.emit("callback/1", json.loads(data))
    jobs.rows("SELECT zeke_jobs.emit('callback/1', %s)", many)
    life.drain()
    assert outcome(job)[1]["data"] == json.loads(many)


def test_an_event_is_kept_for_thirty_days(life: Life, jobs: Jobs) -> None:
    zeke_jobs.emit("callback/42", {})
    for seconds, kept in ((30 * 86400 - 30, 1), (61, 0)):
        life.later(seconds)
        jobs.tidy()
        assert len(jobs.rows("SELECT * FROM zeke_jobs.event")) == kept


def test_of_waits_and_events_at_the_same_moment_none_miss_each_other(life: Life, jobs: Jobs, database: str) -> None:
    ids = [zeke_jobs.send("await", {"n": n}).id for n in range(40)]

    def emit_all() -> None:
        with closing(connect(database)) as conn:
            for n in range(40):
                zeke_jobs.emit(f"callback/{n}", n, connection=conn)

    with ThreadPoolExecutor(1) as threads:
        emitted = threads.submit(emit_all)
        life.drain()
        emitted.result()
    life.drain()
    assert [zeke_jobs.status(job).output["data"] for job in ids] == list(range(40))


def test_whatever_statement_breaks_the_event_arrives(jobs: Jobs, database: str, monkeypatch: Patch) -> None:
    life, line = Life(database, jobs.conn, TASKS), Line(monkeypatch)

    def reset() -> None:
        jobs.rows("TRUNCATE zeke_jobs.queue, zeke_jobs.event, zeke_jobs.wait, zeke_jobs.worker CASCADE")
        zeke_jobs.send("await-more", {"n": 1})

    def act() -> None:
        life.drain()
        jobs.rows("SELECT zeke_jobs.emit('callback/1', '5')")
        life.drain()

    def verify() -> None:
        assert jobs.rows("SELECT state::text, result -> 'data' AS data FROM zeke_jobs.queue") == [
            {"state": "done", "data": 5}
        ]

    assert every_break(line, act, verify, reset) > 8


def test_a_fake_context_has_the_events_that_the_test_gives() -> None:
    payload = handlers.Number(n=1)
    with pytest.raises(zeke_jobs.WaitFor, match="event callback/1"):
        flows.await_event(payload, FakeContext())
    assert flows.await_event(payload, FakeContext(events={"callback/1": 3}))["data"] == 3
    assert flows.await_event(payload, FakeContext(timed_out=["callback/1"]))["timed_out"]
    assert FakeContext(events={"a": 1}).event("a") == Event("a", 1)
