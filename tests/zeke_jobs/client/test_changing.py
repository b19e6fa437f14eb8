"""``cancel`` and ``retry`` change some jobs and leave others; ``worker/test_states.py`` has the model of the rows."""

import uuid
from collections.abc import Callable
from functools import partial

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.sql import change, rows
from zeke_jobs import cancel, prioritise, retry
from zeke_jobs.client.changing import Changed
from zeke_jobs.errors import JobNotFound

HISTORY = """[{"attempt": 1, "outcome": "failed", "error": {"type": "OSError", "message": "no route"}}]"""


def test_an_active_job_is_marked_and_stays_active_until_its_worker_stops_it(conn: Connection) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, "state = 'consumed'")
    done = zeke_jobs.cancel(sent.id, "first")
    assert (done.changed, done.status) == (True, "active")
    zeke_jobs.cancel(sent.id, "second")
    job = zeke_jobs.status(sent.id)
    assert (job.status, job.cancel_reason, job.completed_on) == ("active", "first", None)
    assert job.cancelled_on is not None


def test_a_retried_job_keeps_its_history_and_forgets_why_it_ended(conn: Connection) -> None:
    sent = zeke_jobs.send("anything", expires=60)
    change(conn, sent.id, f"attempt = 4, deaths = 2, attempts = '{HISTORY}', expires_on = now() - interval '1 second'")
    zeke_jobs.cancel(sent.id, "not needed")
    done = zeke_jobs.retry(sent.id)
    assert (done.changed, done.status) == (True, "retry")
    job = zeke_jobs.status(sent.id)
    assert (job.status, job.retry_count, job.attempts[0]["error"]["message"]) == ("retry", 3, "no route")
    assert (job.completed_on, job.cancelled_on, job.cancel_reason, job.expires_on) == (None, None, None, None)
    assert rows(conn, "SELECT attempt, attempt_base, deaths FROM zeke_jobs.queue") == [(4, 4, 0)]


@each(
    ("verb", "changes", "status", "note"),
    [
        (cancel, "state = 'done'", "completed", "ended already as completed; nothing was changed"),
        (cancel, "state = 'rejected'", "failed", "ended already as failed; nothing was changed"),
        (partial(prioritise, priority=7), "state = 'consumed'", "active", "active; only queued jobs are changed"),
        (retry, "attempt = 0", "created", "created; nothing to retry"),
        (retry, "state = 'consumed'", "active", "active; nothing to retry"),
        (retry, "state = 'done'", "completed", "completed; completed jobs are not run again; send a new one"),
    ],
)
def test_other_jobs_are_left_alone_and_that_is_said(
    conn: Connection, verb: Callable[..., Changed], changes: str, status: str, note: str
) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, changes)
    done = verb(sent.id)
    assert (done.changed, done.status, done.note) == (False, status, note)
    assert zeke_jobs.status(sent.id).cancelled_on is None
    with pytest.raises(JobNotFound):
        verb(uuid.uuid4())
