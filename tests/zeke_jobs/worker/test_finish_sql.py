"""These tests of ends cover what ``test_states`` leaves out: outputs, errors, and ends beside open transactions."""

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import NOON, Jobs

ONE = "  a: {handler: 'H:echo', retry: {limit: 2}}"


def test_a_fence_that_completes_is_the_end_and_a_cancelled_job_passes_none(jobs: Jobs) -> None:
    jobs.use(ONE)
    first, cancelled = jobs.add("a", 2)
    worker = jobs.worker()
    claims = jobs.claim(worker, 2)
    jobs.rows(
        'UPDATE zeke_jobs.queue SET cancelled_on = now(), extra = \'{"cancel_reason": "no"}\' WHERE message_id = %s',
        cancelled,
    )
    assert [jobs.fence(worker, job, 1, result="1") for job in (first, first, cancelled)] == [True, False, False]
    jobs.complete(worker, claims, '"late"')
    assert (jobs.row(first)["state"], jobs.row(first)["result"]) == ("done", 1)
    row = jobs.row(cancelled)
    assert (row["state"], row["result"], row["cancel_reason"]) == ("rejected", None, "no")


def test_the_history_of_a_job_that_is_deferred_for_ever_stays_small(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.at(3600)
    (job,) = jobs.add("a")
    worker = jobs.worker()
    for n in range(105):
        (claim,) = jobs.claim(worker, 1)
        jobs.finish(worker, claim, "deferred", until=NOON, reason=str(n))
    row = jobs.row(job)
    assert (len(row["attempts"]), row["attempts"][-1]["reason"]) == (100, "104")
    assert (row["run_at"], row["waiting_for"]) == (NOON, "104")


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
