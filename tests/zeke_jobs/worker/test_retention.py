from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import NOON, Jobs, Patch, Running, jobs_of
from zeke_jobs.errors import JobPurged
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.life import chores, heartbeat

DAY = 86_400
TASKS = """
  a: {handler: 'H:echo', keep: {completed: 1d, failed: 3d, cancelled: 2d}}
  b: {handler: 'H:echo', keep: {completed: 1h30m}}
"""


jobs = jobs_of(TASKS)
DUE = "UPDATE zeke_jobs.retention SET due_on = zeke_jobs.now()"


def ended(jobs: Jobs, task: str, how: str, count: int = 1) -> list[UUID]:
    ids = jobs.add(task, count)
    jobs.end(how, count, [task])
    return ids


def left(jobs: Jobs, days: float, seconds: float = 0) -> set[UUID]:
    jobs.at(days * DAY + seconds)
    chores.purge(jobs.conn)
    return {row["message_id"] for row in jobs.rows("SELECT message_id FROM zeke_jobs.queue")}


@pytest.mark.parametrize("keep", [None, 0])
def test_a_failed_job_stays_while_it_holds_the_end_of_its_batch(jobs: Jobs, keep: int | None) -> None:
    for release in (zeke_jobs.retry_batch, zeke_jobs.cancel_batch):
        name = release.__name__
        (job,) = zeke_jobs.send_many("a", [{}], batch=name, then=("b", {}), after_failure="hold", keep=keep)
        (other,) = zeke_jobs.send_many("a", [{}], batch=f"{name}-sends", keep=keep)
        jobs.end("failed", 2, ["a"])
        assert job.id in left(jobs, 9)
        with pytest.raises(JobPurged):
            zeke_jobs.status(other.id)
        assert release(name) == [job.id]
        jobs.end(tasks=["a"])
        assert zeke_jobs.batch_status(name).ended_on is not None
        assert job.id not in left(jobs, 18)
        jobs.at()
    assert len(list(zeke_jobs.jobs(task="b"))) == 1


@pytest.mark.parametrize("keep", [None, 0])
def test_a_failed_job_stays_while_it_holds_its_key(jobs: Jobs, keep: int | None) -> None:
    jobs.use(TASKS + "  strict: {handler: 'H:echo', order: strict, keep: {failed: 1d}}\n")
    first, second, alone = (zeke_jobs.send("strict", key=key, keep=keep).id for key in ("P", "P", None))
    assert {claim["message_id"] for claim in jobs.end("failed", 9)} == {first, alone}
    assert left(jobs, 9) == {first, second}  # A failed job without a key blocks no job.
    assert jobs.claim(jobs.me, 9) == []
    zeke_jobs.cancel(first)
    assert [claim["message_id"] for claim in jobs.claim(jobs.me, 9)] == [second]
    assert left(jobs, 99) == {second}


def test_jobs_are_kept_by_how_they_ended_and_those_of_a_task_that_left_the_file_a_month(jobs: Jobs) -> None:
    ids = {how: ended(jobs, "a", how)[0] for how in ("completed", "failed", "cancelled")}
    unended = set(jobs.add("a", 2))
    assert len(jobs.claim(jobs.me, 1)) == 1
    assert left(jobs, 1) == {*ids.values(), *unended}
    assert left(jobs, 1, 1) == {ids["failed"], ids["cancelled"], *unended}
    assert left(jobs, 2, 1) == {ids["failed"], *unended}
    assert left(jobs, 3, 1) == left(jobs, 999) == unended
    (job,) = ended(jobs, "b", "completed")
    jobs.use("  a: {handler: 'H:echo'}")
    assert left(jobs, 999 + 30) == {job, *unended}
    assert left(jobs, 999 + 30, 1) == unended


@pytest.mark.parametrize(("unique", "days"), [("{while: period, period: 2d}", 2), ("{while: active}", 1 / 24)])
def test_a_job_stays_as_long_as_it_is_unique_and_then_leaves_its_key(jobs: Jobs, unique: str, days: float) -> None:
    jobs.use(f"  a: {{handler: 'H:echo', keep: {{completed: 1h}}, unique: {unique}}}")
    (first,) = ended(jobs, "a", "completed")
    assert left(jobs, days) == {first}
    assert left(jobs, days, 1) == set()
    assert jobs.rows("SELECT unique_key FROM zeke_jobs.unique_holder") == []
    (job,) = jobs.add("a")
    assert jobs.add("a") == [job]


def test_the_history_keeps_what_comparing_needs_for_ninety_days_from_the_purge(jobs: Jobs) -> None:
    parent = uuid4()
    job = zeke_jobs.send("a", {}, parent=parent, scheduled_for=NOON, key="k").id
    claims = jobs.claim(jobs.me, 1)
    held = {"worker": jobs.me, "ids": [job], "claims": [1]}
    SQL.one(jobs.conn, "job/add_cost", **held, amounts=[Decimal("0.25")], currency="USD")
    jobs.at(5)
    jobs.complete(jobs.me, claims)
    before = finished(jobs, job)
    left(jobs, 2)
    after = finished(jobs, job)
    assert after == {**before, "purged_on": NOON + timedelta(days=2)}
    expected = {
        "name": "a", "state": "completed", "parent": parent, "scheduled_for": NOON, "key": "k", "attempt": 1, "revision": 1,
        "created_on": NOON, "started_on": NOON, "completed_on": NOON + timedelta(seconds=5), "cost": Decimal("0.25"), "currency": "USD",
    }  # fmt: skip
    assert {name: after[name] for name in expected} == expected
    left(jobs, 92)
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.history")) == 1
    left(jobs, 92, 1)
    assert jobs.rows("SELECT 1 FROM zeke_jobs.history") == []


def finished(jobs: Jobs, job: UUID) -> dict[str, Any]:
    (row,) = jobs.rows("SELECT * FROM zeke_jobs.finished WHERE id = %s", job)
    return row


def test_all_that_belongs_to_a_job_goes_with_it_and_a_second_use_of_its_id_is_shown(jobs: Jobs) -> None:
    (job,) = ended(jobs, "a", "failed")
    left(jobs, 4)
    jobs.add("a", options=f'{{"id": "{job}"}}')
    assert zeke_jobs.status(job).status == "created"
    jobs.end()
    jobs.rows("INSERT INTO zeke_jobs.step (job, name, result) VALUES (%s, 'one', '1')", job)
    jobs.rows("INSERT INTO zeke_jobs.wait (job, event, until) VALUES (%s, 'e', now())", job)
    jobs.rows("INSERT INTO zeke_jobs.job_log (job, claim, attempt, lines, dropped) VALUES (%s, 1, 1, 'x', 0)", job)
    jobs.rows("INSERT INTO zeke_jobs.cost (job, task, cost, currency) VALUES (%s, 'a', 1, 'USD')", job)
    for days in (4, 6):
        left(jobs, days)
        assert finished(jobs, job)["state"] == "completed"
    for table in ("step", "wait", "job_log", "cost"):
        assert jobs.rows(f"SELECT job FROM zeke_jobs.{table}") == [], table


def test_one_process_of_the_fleet_purges_each_minute_by_small_parts_until_it_is_told_to_end(jobs: Jobs) -> None:
    ended(jobs, "a", "completed", 25)
    jobs.at(2 * DAY)
    jobs.rows(DUE)
    answers = iter([False, *[True] * 9])
    assert chores.purge(jobs.conn, lambda: next(answers), batch=10) == 10
    assert chores.purge(jobs.conn, batch=10) == 15
    due = "SELECT due_on > zeke_jobs.now() AS later FROM zeke_jobs.retention"
    assert jobs.rows(due) == [{"later": True}], "no other process begins meanwhile"
    jobs.rows(DUE)
    for seconds, purged in ((0, 1), (59, 0), (60, 2)):
        ended(jobs, "b", "completed")
        jobs.at(2 * DAY + seconds)
        jobs.rows("UPDATE zeke_jobs.queue SET completed_on = %s WHERE state = 'done'", NOON)
        assert chores.purge_if_due(jobs.conn) == purged


def test_a_purge_in_progress_blocks_no_claim_and_waits_for_no_lock(jobs: Jobs, other_conn: Connection) -> None:
    held, *_ = ended(jobs, "a", "completed", 3)
    jobs.at(2 * DAY)
    jobs.add("a", 5)
    other = Jobs(other_conn)
    other.rows("SET statement_timeout = '2s'")
    with transaction(other_conn):
        other.rows("SELECT 1 FROM zeke_jobs.queue WHERE message_id = %s FOR UPDATE", held)
        jobs.rows("SET statement_timeout = '2s'")
        assert chores.purge(jobs.conn) == 2
    with transaction(jobs.conn):
        assert chores.purge(jobs.conn) == 1
        assert len(other.claim(other.worker(), 5)) == 5


def test_a_worker_purges_rescues_gathers_and_expires_alone(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    jobs.rows(DUE)
    ended(jobs, "b", "completed", 2)
    (late,), (lost,), (elsewhere,) = jobs.add("b", options='{"expires": 60}'), jobs.add("a"), jobs.add("b")
    jobs.claim(jobs.worker(), 1, ["a"])
    jobs.rows("DELETE FROM zeke_jobs.worker")
    jobs.rows("UPDATE zeke_jobs.queue SET queue_name = 'former' WHERE message_id = %s", elsewhere)
    jobs.at(2 * DAY)
    monkeypatch.setenv("ZEKE_JOBS_HEARTBEAT", "0.1")
    monkeypatch.setattr(chores, "EVERY", 0.1)
    monkeypatch.setattr(heartbeat, "_THOROUGH", 0.1)
    with running(TASKS):
        eventually(lambda: len(jobs.rows("SELECT 1 FROM zeke_jobs.history")) == 2)
        eventually(lambda: zeke_jobs.status(late).status == "cancelled")
        assert zeke_jobs.status(late).cancel_reason == "expired: not started by 2026-03-10T12:01:00Z"
        eventually(lambda: {zeke_jobs.status(job).status for job in (lost, elsewhere)} == {"completed"})
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue")) == 3
