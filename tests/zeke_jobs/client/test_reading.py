"""These tests cover the answers of ``status``, ``jobs`` and ``wait``, and when the answers come."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.sql import change
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.client import drivers, reading
from zeke_jobs.errors import JobNotFound, JobPurged


def finish(conn: Connection, job_id: object, result: str = "null") -> None:
    """Complete a job with the function that workers use."""
    worker = UUID(int=1)
    change(conn, job_id, f"state = 'consumed', claim = 1, worker = '{worker}'")
    assert Jobs(conn).complete(worker, [{"message_id": job_id, "claim": 1}], result) == [job_id]


def test_the_status_of_a_new_job_has_everything() -> None:
    parent = uuid.uuid4()
    sent = zeke_jobs.send("anything", {"a": [1]}, priority=4, parent=parent, key="k")
    job = zeke_jobs.status(str(sent.id))
    assert isinstance(job, zeke_jobs.Job)
    assert (job.id, job.status, job.task_id, job.data, job.output) == (sent.id, "created", "anything", {"a": [1]}, None)
    assert (job.retry_count, job.error, job.parent, job.attempts, job.priority) == (0, None, parent, [], 4)
    assert (job.attempt, job.worker) == (0, None)
    assert abs(job.created_on - datetime.now(UTC)) < timedelta(minutes=1)
    assert (job.started_on, job.completed_on, job.key, job.has_ended) == (None, None, "k", False)


ROUTE = {"type": "OSError", "message": "no route"}
CANCELLED = "state = 'rejected', cancelled_on = now(), extra = '{\"cancel_reason\": \"too late\"}'"
ERROR = """'[{"attempt": 1, "outcome": "retry", "error": {"type": "OSError", "message": "no route"}}]'"""


@pytest.mark.parametrize(
    ("changes", "status", "retries", "error"),
    [
        ('attempt = 0, extra = \'{"waiting_for": "budget"}\'', "created", 0, None),
        (f"attempt = 1, attempts = {ERROR}", "retry", 0, ROUTE),
        ("state = 'consumed', attempt = 1", "active", 0, None),
        (f"state = 'consumed', attempt = 2, attempts = {ERROR}", "active", 1, None),
        (f"state = 'done', attempt = 2, attempts = {ERROR}", "completed", 1, None),
        (f"state = 'rejected', attempt = 4, attempts = {ERROR}", "failed", 3, ROUTE),
        (CANCELLED, "cancelled", 0, {"type": "Cancelled", "message": "too late"}),
    ],
)
def test_each_row_has_the_status_that_the_table_says(
    conn: Connection, changes: str, status: str, retries: int, error: Any
) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, changes)
    job = zeke_jobs.status(sent.id)
    assert (job.status, job.retry_count, job.error) == (status, retries, error)


def test_an_unknown_id_is_told_apart_from_a_purged_one(conn: Connection) -> None:
    gone = uuid.uuid4()
    conn.cursor().execute(
        "INSERT INTO zeke_jobs.history (id, name, state, queue, priority, attempt, deaths, run_at, created_on, completed_on)"
        " VALUES (%s, 'anything', 'failed', 'default', 0, 4, 0, now(), now(), '2026-01-02 03:04Z')",
        (str(gone),),
    )
    with pytest.raises(JobPurged, match="anything, failed on 2026-01-02 03:04 UTC, purged since"):
        zeke_jobs.status(gone)
    with pytest.raises(JobNotFound, match="no job has it") as unknown:
        zeke_jobs.status(uuid.uuid4())
    assert not isinstance(unknown.value, JobPurged)
    with pytest.raises(ValueError, match="expected id as a UUID"):
        zeke_jobs.status("42")


def test_jobs_are_filtered_by_all_that_a_filter_may_say(conn: Connection) -> None:
    first = zeke_jobs.send("anything", batch="import-1").id
    second = zeke_jobs.send("anything", parent=first, key="a").id
    third = zeke_jobs.send("other", parent=first).id
    change(conn, first, "state = 'done', created_on = now() - interval '2 days'")
    change(conn, second, f"state = 'rejected', attempt = 1, attempts = {ERROR}")

    def ids(**filters: Any) -> list[uuid.UUID]:
        return [job.id for job in zeke_jobs.jobs(**filters)]

    assert ids() == [third, second, first]
    assert ids(task="whatever") == [second, first]
    assert ids(task="gone") == []
    assert ids(status="completed") == ids(batch="import-1") == ids(older=timedelta(days=1)) == [first]
    assert ids(key="a") == ids(error="NO route") == [second]
    assert ids(status=["completed", "created"], task="other") == ids(queue="second") == ids(limit=1) == [third]
    assert ids(parent=first) == ids(newer=timedelta(days=1)) == [third, second]


@pytest.mark.parametrize("timeout", [60, float("inf"), 1e300, timedelta.max])
def test_a_wait_ends_soon_after_its_job_and_outlives_the_loss_of_its_connections(
    conn: Connection, timeout: float | timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, failed = drivers.perform, threading.Event()

    def fail_once(connection: Any, plan: Any, *args: Any) -> Any:
        if plan is reading.ended and not failed.is_set():
            failed.set()
            raise psycopg2.OperationalError("the server is away")
        return looked(connection, plan, *args)

    monkeypatch.setattr(drivers, "perform", fail_once)
    sent = zeke_jobs.send("anything")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(zeke_jobs.wait, sent.id, timeout)
        assert failed.wait(10)
        assert not waiting.done()
        finish(conn, sent.id, '"output"')
        assert waiting.result(20) == "output"


def test_looks_are_short_after_one_another_at_first_and_end_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(reading, "monotonic", lambda: clock[0])
    found = []
    for pause in reading.pauses(30):
        found.append(pause)
        clock[0] += pause
    assert sum(found) == pytest.approx(30)
    assert found[0] == 0.02
    assert max(found) == 1.0
    assert len(found) < 120


@pytest.mark.parametrize(
    ("said", "words"),
    [({"status": "finished"}, "a status"), ({"limit": -1}, "limit of at least 0, got -1"), *(({name: timedelta.max}, f"{name} of at most 100 years") for name in ("newer", "older"))],
)  # fmt: skip
def test_a_bound_that_makes_no_sense_is_refused_in_words(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"expected {words}"):
        zeke_jobs.jobs(**said)
