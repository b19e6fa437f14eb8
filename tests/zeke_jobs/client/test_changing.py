"""``cancel`` and ``retry``: the jobs that they change, and the jobs that they leave."""

import uuid
from collections.abc import Callable

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs

HISTORY = """[{"attempt": 1, "outcome": "failed", "error": {"type": "OSError", "message": "no route"}}]"""


@pytest.fixture(autouse=True)
def tasks(make_task: Callable[..., None]) -> None:
    make_task("anything", None, aliases=["whatever"])
    make_task("other", None)


def change(conn: Connection, job_id: object, changes: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(f"UPDATE zeke_jobs.queue SET {changes} WHERE message_id = %s", (str(job_id),))
        assert cursor.rowcount == 1


def failed(conn: Connection, task: str = "anything", more: str = "attempt = 4") -> uuid.UUID:
    sent = zeke_jobs.send(task)
    change(conn, sent.id, f"state = 'rejected', completed_on = now(), attempts = '{HISTORY}', {more}")
    return sent.id


def test_an_active_job_is_marked_and_stays_active_until_its_worker_stops_it(conn: Connection) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, "state = 'consumed'")
    done = zeke_jobs.cancel(sent.id, "first")
    assert (done.changed, done.status) == (True, "active")
    zeke_jobs.cancel(sent.id, "second")
    job = zeke_jobs.status(sent.id)
    assert (job.status, job.cancel_reason, job.completed_on) == ("active", "first", None)
    assert job.cancelled_on is not None


@pytest.mark.parametrize(("state", "status"), [("done", "completed"), ("rejected", "failed")])
def test_a_finished_job_stays_as_it_is_and_that_is_said(conn: Connection, state: str, status: str) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, f"state = '{state}'")
    done = zeke_jobs.cancel(sent.id)
    assert (done.changed, done.status) == (False, status)
    assert "nothing was changed" in done.note
    assert zeke_jobs.status(sent.id).cancelled_on is None


def test_a_retried_job_keeps_its_id_and_history_and_gets_a_fresh_limit(conn: Connection) -> None:
    job_id = failed(conn, more="attempt = 4, deaths = 2, run_at = now() - interval '1 day'")
    done = zeke_jobs.retry(job_id)
    assert (done.changed, done.status) == (True, "retry")
    job = zeke_jobs.status(job_id)
    assert (job.status, job.retry_count, job.completed_on) == ("retry", 3, None)
    assert job.attempts[0]["error"]["message"] == "no route"
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT attempt, attempt_base, deaths, run_at > now() - interval '1 minute' FROM zeke_jobs.queue"
        )
        assert cursor.fetchone() == (4, 4, 0, True)


def test_a_cancelled_or_expired_job_can_be_run_after_all(conn: Connection) -> None:
    sent = zeke_jobs.send("anything", expires=60)
    zeke_jobs.cancel(sent.id)
    change(conn, sent.id, "expires_on = now() - interval '1 second'")
    assert zeke_jobs.retry(sent.id).status == "created"
    job = zeke_jobs.status(sent.id)
    assert (job.cancelled_on, job.cancel_reason, job.expires_on) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ("attempt = 0", "created; nothing to retry"),
        ("state = 'consumed'", "active; nothing to retry"),
        ("state = 'done'", "completed; completed jobs are not run again; send a new one"),
    ],
)
def test_other_jobs_are_left_alone_and_that_is_said(conn: Connection, changes: str, note: str) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, changes)
    done = zeke_jobs.retry(sent.id)
    assert (done.changed, done.note) == (False, note)
