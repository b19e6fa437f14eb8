from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

ONE = "  a: {handler: 'H:echo', retry: {limit: 5}}\n  once: {handler: 'H:echo', retry: {limit: 0}}"


@pytest.fixture
def jobs(jobs: Jobs) -> Jobs:
    jobs.use(ONE)
    set_clock(jobs.conn, NOON)
    return jobs


def rescue(jobs: Jobs, seconds: float) -> list[dict[str, Any]]:
    set_clock(jobs.conn, NOON + timedelta(seconds=seconds))
    return SQL.all(jobs.conn, "worker/rescue")


def test_a_worker_that_proves_life_keeps_its_jobs(jobs: Jobs) -> None:
    jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    set_clock(jobs.conn, NOON + timedelta(seconds=15))
    SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=1, revision=1, stopping=False)
    assert rescue(jobs, 30) == []


def test_a_lost_workers_jobs_go_back_and_count_one_attempt_and_one_death(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    assert [(r["message_id"], r["deaths"], r["outcome"]) for r in rescue(jobs, 21)] == [(job, 1, "rescued")]
    row = jobs.row(job)
    assert (row["state"], row["attempt"], row["deaths"], row["worker"]) == ("queued", 1, 1, None)
    assert row["attempts"][0]["error"]["type"] == "WorkerDied"
    assert rescue(jobs, 42) == []


def test_the_late_finish_of_a_rescued_job_changes_nothing(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    claims = jobs.claim(worker, 1)
    rescue(jobs, 21)
    assert jobs.complete(worker, claims) == []
    assert jobs.row(job)["state"] == "queued"


def test_a_process_that_was_taken_for_dead_is_told_so(jobs: Jobs) -> None:
    worker = jobs.worker()
    rescue(jobs, 21)
    row = SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=0, revision=1, stopping=False)
    assert row is not None
    assert row["alive"] is False


def test_a_job_that_saw_one_death_runs_beside_others(jobs: Jobs) -> None:
    held = jobs.add("a", 8)
    jobs.claim(jobs.worker(), 8)
    assert died_with(jobs, held) == {"rescued": set(held)}
    assert sorted(ids(jobs.claim(jobs.worker(), 8))) == sorted(held)


def test_from_its_second_death_on_a_job_runs_alone_and_the_third_quarantines_it(jobs: Jobs) -> None:
    (killer,) = jobs.add("a")
    for _ in range(2):
        jobs.claim(jobs.worker(), 8)
        assert died_with(jobs, [killer]) == {"rescued": {killer}}
    others = jobs.add("a", 3)
    worker, beside = jobs.worker(), jobs.worker()
    assert reasons(jobs, worker) == ["alone"], "it empties itself"
    assert ids(jobs.claim(beside, 2)) == others[:2], "the others go on"
    assert ids(jobs.claim(worker, 8, is_empty=True)) == [killer]
    beat(jobs, beside)
    assert died_with(jobs, [killer, *others]) == {"quarantined": {killer}, "rescued": set(others[:2])}
    row = jobs.row(killer)
    assert (row["state"], row["deaths"], row["attempt"] - row["attempt_base"]) == ("rejected", 3, 0)
    assert "death 3 of this job, quarantined" in row["attempts"][-1]["error"]["message"]


def test_one_process_at_a_time_empties_itself_until_there_is_no_such_job_left(jobs: Jobs) -> None:
    first, second = (suspect(jobs) for _ in range(2))
    (plain,) = jobs.add("a")
    worker, beside = jobs.worker(), jobs.worker()
    assert reasons(jobs, worker) == ["alone"]
    assert ids(jobs.claim(beside, 8)) == [plain]
    assert reasons(jobs, worker) == ["alone"]
    for job in (first, second):
        claims = jobs.claim(worker, 8, is_empty=True)
        assert ids(claims) == [job]
        jobs.complete(worker, claims)
    (plain,) = jobs.add("a")
    assert ids(jobs.claim(worker, 8)) == [plain]


@pytest.mark.parametrize("kind", ["full", "keyed", "paused", "later", "other queue"])
def test_a_job_that_may_not_start_now_empties_no_process(jobs: Jobs, kind: str) -> None:
    jobs.use(HELD, "limits: {pool: {concurrency: 1}}")
    jobs.add("held", options='{"key": "k"}')
    jobs.claim(jobs.worker(), 1)
    job = suspect(jobs, "keyed" if kind == "keyed" else "held" if kind == "full" else "other", key="k")
    jobs.add("keyed", options='{"key": "k"}')
    if kind == "keyed":
        jobs.claim(jobs.worker(), 1, ["keyed"])
    elif kind == "paused":
        jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/other', 'me')")
    elif kind == "later":
        jobs.rows("UPDATE zeke_jobs.queue SET run_at = run_at + interval '1 hour' WHERE message_id = %s", job)
    elif kind == "other queue":
        jobs.rows("UPDATE zeke_jobs.queue SET queue_name = 'elsewhere' WHERE message_id = %s", job)
    assert "alone" not in reasons(jobs, jobs.worker())


HELD = """
  held: {handler: 'H:echo', uses: [pool]}
  keyed: {handler: 'H:echo', concurrency: {per_key: 1}}
  other: {handler: 'H:echo'}
"""


def suspect(jobs: Jobs, task: str = "a", key: str | None = None) -> UUID:
    """A queued job that saw two processes die."""
    (job,) = jobs.add(task, options="{}" if key is None else f'{{"key": "{key}"}}')
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", job)
    return job


def reasons(jobs: Jobs, worker: UUID) -> list[str]:
    """Why due jobs are held back from a process that holds a job."""
    return [row["reason"] for row in jobs.look(worker, 8) if row["kind"] == "held"]


def test_one_row_that_is_wrong_does_not_stop_the_rescue_of_others(jobs: Jobs) -> None:
    bad, good = jobs.add("a", 2)
    jobs.claim(jobs.worker(), 2)
    jobs.rows(
        "ALTER TABLE zeke_jobs.queue ADD CONSTRAINT broken CHECK (message_id <> %s OR state = 'consumed') NOT VALID",
        bad,
    )
    try:
        assert died_with(jobs, [bad, good]) == {"rescued": {good}}
        assert any(str(bad) in notice for notice in jobs.conn.notices)
    finally:
        jobs.rows("ALTER TABLE zeke_jobs.queue DROP CONSTRAINT broken")
    assert died_with(jobs, [bad]) == {"rescued": {bad}}


def test_a_job_cancelled_with_its_task_is_rescued_as_cancelled(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    jobs.claim(jobs.worker(), 1)
    jobs.rows("SELECT zeke_jobs.cancel_all('a', 'gone', 'me')")
    jobs.use("  once: {handler: 'H:echo'}")
    assert died_with(jobs, [job]) == {"cancelled": {job}}
    assert jobs.row(job)["state"] == "rejected"


def test_the_jobs_of_a_worker_without_a_row_are_returned_too(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    jobs.claim(worker, 1)
    jobs.rows("DELETE FROM zeke_jobs.worker")
    assert rescue(jobs, 50) == []
    assert [r["message_id"] for r in rescue(jobs, 61)] == [job]


def beat(jobs: Jobs, worker: UUID) -> None:
    SQL.one(jobs.conn, "worker/heartbeat", worker=worker, busy=1, revision=1, stopping=False)


def test_after_an_outage_of_the_database_nobody_is_lost_who_comes_back_in_time(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    quick, slow = jobs.worker(), jobs.worker()
    jobs.claim(slow, 1)
    set_clock(jobs.conn, NOON + timedelta(minutes=2))
    beat(jobs, quick)
    assert rescue(jobs, 121) == [], "the database was away for all; the slow one comes in a moment"
    for second in range(125, 145, 5):
        set_clock(jobs.conn, NOON + timedelta(seconds=second))
        beat(jobs, quick)
    assert [r["message_id"] for r in rescue(jobs, 144)] == [job], "by now it could have come"


def test_a_rescue_leaves_a_job_whose_row_is_locked_and_takes_it_later(jobs: Jobs, other_conn: Connection) -> None:
    free, locked = jobs.add("a", 2)
    worker = jobs.worker()
    claims = {c["message_id"]: c["claim"] for c in jobs.claim(worker, 2)}
    with transaction(other_conn):
        assert Jobs(other_conn).fence(worker, locked, claims[locked])
        jobs.rows("SET statement_timeout TO '10s'")
        assert [r["message_id"] for r in rescue(jobs, 21)] == [free]
    assert [r["message_id"] for r in rescue(jobs, 61)] == [locked]


def test_a_worker_that_stops_short_of_its_commit_is_not_waited_for(jobs: Jobs, other_conn: Connection) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",)
        Jobs(other_conn).fence(worker, job, claim["claim"])
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("15s",)
    with other_conn.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",), "it ends with the transaction"


def test_a_claim_whose_answer_was_lost_goes_back_without_a_count(jobs: Jobs) -> None:
    known, lost = jobs.add("a", 2)
    worker = jobs.worker()
    jobs.claim(worker, 2)
    said = {"worker": worker, "held": [known], "claims": [1], "older": 10.0}
    assert SQL.all(jobs.conn, "job/disown", **said) == [], "its answer may be under way"
    set_clock(jobs.conn, NOON + timedelta(seconds=11))
    assert [row["message_id"] for row in SQL.all(jobs.conn, "job/disown", **said)] == [lost]
    row = jobs.row(lost)
    assert (row["state"], row["attempt"], row["deaths"], row["worker"]) == ("queued", 0, 0, None)
    assert jobs.row(known)["state"] == "consumed"


def died_with(jobs: Jobs, held: list[UUID]) -> dict[str, set[UUID]]:
    """The outcomes of jobs whose worker dies."""
    now = jobs.rows("SELECT zeke_jobs.now() AS now")[0]["now"]
    set_clock(jobs.conn, now + timedelta(seconds=21))
    outcomes: dict[str, set[UUID]] = {}
    for row in SQL.all(jobs.conn, "worker/rescue"):
        assert row["message_id"] in held
        outcomes.setdefault(row["outcome"], set()).add(row["message_id"])
    return outcomes


def ids(claims: list[dict[str, Any]]) -> list[UUID]:
    return [claim["message_id"] for claim in claims]


def test_a_job_that_may_start_only_once_never_starts_again(jobs: Jobs) -> None:
    (once,), others = jobs.add("once"), jobs.add("a", 7)
    assert len(jobs.claim(jobs.worker(), 8)) == 8
    assert died_with(jobs, [once, *others]) == {"failed": {once}, "rescued": set(others)}


def test_a_death_that_several_may_have_caused_uses_up_nobodys_retry(jobs: Jobs) -> None:
    held = jobs.add("a", 2)
    jobs.claim(jobs.worker(), 2)
    assert died_with(jobs, held) == {"rescued": set(held)}
    assert [(row["attempt"], row["attempt_base"], row["deaths"]) for row in map(jobs.row, held)] == [(1, 1, 1)] * 2


@pytest.mark.parametrize(("deaths", "left"), [(1, 0), (2, 2)])
def test_an_attempt_that_ends_by_itself_clears_a_first_death_only(jobs: Jobs, deaths: int, left: int) -> None:
    (job,) = jobs.add("a")
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = %s", deaths)
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1, is_empty=True)
    jobs.finish(worker, claim, "retry")
    assert jobs.row(job)["deaths"] == left


def test_a_hand_back_counts_nothing_whether_the_handler_had_started_or_not(jobs: Jobs) -> None:
    (job,) = jobs.add("a")
    worker = jobs.worker()
    for after in (None, 1.0):
        (claim,) = jobs.claim(worker, 1)
        if after is not None:
            SQL.all(jobs.conn, "job/mark_started", worker=worker, ids=[job], claims=[claim["claim"]], after=[0.5])
        jobs.finish(worker, claim, "returned", after=after)
        row = jobs.row(job)
        assert (row["state"], row["attempt"], row["attempts"], row["deaths"]) == ("queued", 0, [], 0)
