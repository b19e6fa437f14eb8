from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ONE = "  a: {handler: 'H:echo', retry: {limit: 2}}"


def test_completion_stores_the_output_and_clears_the_worker(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    assert jobs.complete(worker, jobs.claim(worker, 1), '{"x": 1}') == [job]
    row = jobs.row(job)
    assert (row["state"], row["result"], row["worker"], row["attempt"]) == ("done", {"x": 1}, None, 1)
    assert row["claimed_on"] <= row["started_on"] <= row["completed_on"]


def test_a_second_completion_of_the_same_claim_changes_nothing(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.add("a")
    worker = jobs.worker()
    claims = jobs.claim(worker, 1)
    assert len(jobs.complete(worker, claims)) == 1
    assert jobs.complete(worker, claims, '"late"') == []


def test_a_stale_claim_can_neither_complete_nor_fail_nor_hold_the_job(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (stale,) = jobs.claim(worker, 1)
    assert jobs.finish(worker, stale, "retry")
    (fresh,) = jobs.claim(worker, 1)
    assert fresh["claim"] == stale["claim"] + 1
    assert jobs.complete(worker, [stale]) == []
    assert not jobs.finish(worker, stale, "failed")
    assert not jobs.fence(worker, job, stale["claim"])
    assert not jobs.fence(worker, job, stale["claim"], result="1")
    assert jobs.fence(worker, job, fresh["claim"])
    assert jobs.row(job)["state"] == "consumed"
    assert jobs.fence(worker, job, fresh["claim"], result="1")
    assert (jobs.row(job)["state"], jobs.row(job)["result"]) == ("done", 1)
    assert not jobs.fence(worker, job, fresh["claim"], result="2")


def test_another_worker_cannot_end_the_job(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.add("a")
    claims = jobs.claim(jobs.worker(), 1)
    assert jobs.complete(uuid4(), claims) == []
    assert not jobs.finish(uuid4(), claims[0], "failed")


def test_a_retry_goes_back_to_the_queue_and_counts(jobs: Jobs) -> None:
    jobs.use(ONE)
    set_clock(jobs.conn, NOON)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    jobs.finish(worker, claim, "retry", delay=30.0, reason="no luck", error='{"type": "ValueError"}')
    row = jobs.row(job)
    assert (row["state"], row["attempt"], row["worker"]) == ("queued", 1, None)
    assert row["run_at"] == NOON + timedelta(seconds=30)
    (entry,) = row["attempts"]
    assert (entry["attempt"], entry["outcome"], entry["error"]["type"]) == (1, "retry", "ValueError")


@pytest.mark.parametrize("marked", [False, True])
def test_a_deferral_counts_no_attempt_and_says_why(jobs: Jobs, marked: bool) -> None:
    jobs.use(ONE)
    set_clock(jobs.conn, NOON)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    if marked:
        jobs.rows(
            "SELECT zeke_jobs.mark_started(%s, ARRAY[%s]::uuid[], ARRAY[%s]::bigint[], ARRAY[0.5])",
            worker,
            job,
            claim["claim"],
        )
        assert jobs.row(job)["attempt"] == 1
    jobs.finish(worker, claim, "deferred", until=NOON + timedelta(hours=1), reason="the budget is spent")
    row = jobs.row(job)
    assert (row["state"], row["attempt"], row["waiting_for"]) == ("queued", 0, "the budget is spent")
    assert row["run_at"] == NOON + timedelta(hours=1)


def test_a_job_that_is_handed_back_unstarted_keeps_its_place_and_its_counts(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job, _) = jobs.add("a", 2)
    worker = jobs.worker()
    before = jobs.row(job)
    (claim,) = jobs.claim(worker, 1)
    jobs.finish(worker, claim, "returned", after=None)
    after = jobs.row(job)
    assert [after[k] for k in ("state", "attempt", "deaths", "run_at", "attempts")] == [
        before[k] for k in ("state", "attempt", "deaths", "run_at", "attempts")
    ]
    assert jobs.claim(worker, 1)[0]["message_id"] == job


def test_a_cancelled_job_never_ends_as_completed(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    claims = jobs.claim(worker, 1)
    jobs.rows('UPDATE zeke_jobs.queue SET cancelled_on = zeke_jobs.now(), extra = \'{"cancel_reason": "not wanted"}\'')
    assert not jobs.fence(worker, job, 1)
    assert not jobs.fence(worker, job, 1, result='"late"')
    assert jobs.row(job)["state"] == "consumed"
    jobs.complete(worker, claims, '"late"')
    row = jobs.row(job)
    assert (row["state"], row["result"], row["cancel_reason"]) == ("rejected", None, "not wanted")


@pytest.mark.parametrize("outcome", ["retry", "failed", "deferred", "returned"])
def test_whatever_a_cancelled_attempt_ended_with_the_job_is_cancelled(jobs: Jobs, outcome: str) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    jobs.rows("UPDATE zeke_jobs.queue SET cancelled_on = zeke_jobs.now()")
    jobs.finish(worker, claim, outcome)
    row = jobs.row(job)
    assert row["state"] == "rejected"
    assert row["cancelled_on"] is not None


def test_the_history_of_a_job_that_is_deferred_for_ever_stays_small(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    for n in range(105):
        (claim,) = jobs.claim(worker, 1)
        jobs.finish(worker, claim, "deferred", reason=str(n))
    attempts = jobs.row(job)["attempts"]
    assert len(attempts) == 100
    assert attempts[-1]["reason"] == "104"


@pytest.mark.parametrize("many", [False, True], ids=["send", "send many"])
def test_an_end_waits_for_no_sender_of_the_jobs_successor(jobs: Jobs, other_conn: Connection, many: bool) -> None:
    jobs.use(ONE)
    ended = [*jobs.add("a", options='{"unique": true}'), *jobs.add("a", payload='{"n": 1}', options='{"unique": true}')]
    worker = jobs.worker()
    claims = jobs.claim(worker, 2)
    sender = Jobs(other_conn)
    sender.rows("BEGIN")
    if many:
        sender.rows(
            "SELECT * FROM zeke_jobs.enqueue_many('a', NULL, '[{}, {\"n\": 1}]', ARRAY[gen_random_uuid(), gen_random_uuid()],"
            " '{}', '{\"unique\": true}')"
        )
    else:
        sender.add("a", options='{"unique": true}')
        sender.add("a", payload='{"n": 1}', options='{"unique": true}')
    jobs.rows("SET lock_timeout = '1s'")
    assert jobs.complete(worker, claims[:1]) == [claims[0]["message_id"]]
    assert jobs.finish(worker, claims[1], "retry", reason="no luck")
    sender.rows("COMMIT")
    states = jobs.rows("SELECT state FROM zeke_jobs.queue WHERE message_id <> ALL (%s::uuid[])", ended)
    assert [row["state"] for row in states] == ["queued", "queued"]
