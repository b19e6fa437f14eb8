"""``status``, ``jobs`` and ``wait``: their answers about jobs, and the time they come."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from zeke_jobs.client import drivers, reading
from zeke_jobs.errors import JobNotFound, JobPurged


@pytest.fixture(autouse=True)
def tasks(make_task: Callable[..., None]) -> None:
    make_task("anything", None, aliases=["whatever"])
    make_task("other", None)


def change(conn: Connection, job_id: object, changes: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(f"UPDATE zeke_jobs.queue SET {changes} WHERE message_id = %s", (str(job_id),))
        assert cursor.rowcount == 1


def finish(conn: Connection, job_id: object, result: str = "null") -> None:
    """End a job as a worker does: by the function that moves it."""
    change(conn, job_id, "state = 'consumed', claim = 1, worker = '00000000-0000-4000-8000-000000000000'")
    conn.cursor().execute(
        "SELECT zeke_jobs.move(ARRAY[%s]::uuid[], 'completed', '{}', '00000000-0000-4000-8000-000000000000', ARRAY[1::bigint],"
        " ARRAY[0.0], ARRAY[NULL::float8], ARRAY[%s])",
        (str(job_id), result),
    )


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


ERROR = """'[{"attempt": 1, "outcome": "retry", "error": {"type": "OSError", "message": "no route"}}]'"""


@pytest.mark.parametrize(
    ("changes", "status", "retries", "error"),
    [
        ('attempt = 0, extra = \'{"waiting_for": "budget"}\'', "created", 0, None),
        (f"attempt = 1, attempts = {ERROR}", "retry", 0, {"type": "OSError", "message": "no route"}),
        ("state = 'consumed', attempt = 1", "active", 0, None),
        (f"state = 'consumed', attempt = 2, attempts = {ERROR}", "active", 1, None),
        (f"state = 'done', attempt = 2, attempts = {ERROR}", "completed", 1, None),
        (
            f"state = 'rejected', attempt = 4, attempts = {ERROR}",
            "failed",
            3,
            {"type": "OSError", "message": "no route"},
        ),
        (
            "state = 'rejected', cancelled_on = now(), extra = '{\"cancel_reason\": \"too late\"}'",
            "cancelled",
            0,
            {"type": "Cancelled", "message": "too late"},
        ),
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


def test_sensitive_fields_are_masked_in_status_but_not_in_the_output_that_is_waited_for(
    conn: Connection, make_task: Callable[..., None]
) -> None:
    make_task("secretive", None, sensitive=["api_key"])
    sent = zeke_jobs.send("secretive", {"api_key": "s3cret", "url": "u"})
    finish(conn, sent.id, '{"api_key": "s3cret", "n": 1}')
    job = zeke_jobs.status(sent.id)
    assert (job.data, job.output) == ({"api_key": "***", "url": "u"}, {"api_key": "***", "n": 1})
    assert zeke_jobs.wait(sent.id, 1) == {"api_key": "s3cret", "n": 1}


def test_jobs_are_filtered_by_task_or_alias_status_parent_and_age(conn: Connection) -> None:
    first = zeke_jobs.send("anything")
    second = zeke_jobs.send("anything", parent=first.id)
    third = zeke_jobs.send("other", parent=first.id)
    change(conn, first.id, "state = 'done', created_on = now() - interval '2 days'")

    def ids(**filters: Any) -> list[uuid.UUID]:
        return [job.id for job in zeke_jobs.jobs(**filters)]

    assert ids() == [third.id, second.id, first.id]
    assert ids(task="whatever") == [second.id, first.id]
    assert ids(task="gone") == []
    assert ids(status="completed") == [first.id]
    assert ids(status=["completed", "created"], task="other") == [third.id]
    assert ids(parent=first.id) == [third.id, second.id]
    assert ids(newer=timedelta(days=1)) == [third.id, second.id]
    assert ids(older=timedelta(days=1)) == [first.id]
    assert ids(limit=1) == [third.id]
    with pytest.raises(ValueError, match="expected a status"):
        zeke_jobs.jobs(status="finished")


class Waiting:
    """A thread that waits for a job, and its result."""

    def __init__(self, wait: Callable[[], Any]) -> None:
        self.seen: list[Any] = []
        self._thread = threading.Thread(target=lambda: self.seen.append(wait()))
        self._thread.start()

    def result(self) -> Any:
        self._thread.join(20)
        return self.seen[0]


def test_a_wait_ends_soon_after_its_job(conn: Connection) -> None:
    sent = zeke_jobs.send("anything")
    waiting = Waiting(lambda: zeke_jobs.wait(sent.id, 60))
    assert not waiting.seen
    finish(conn, sent.id, '"output"')
    assert waiting.result() == "output"


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


def test_a_wait_outlives_the_loss_of_its_connections(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, failed = drivers.perform, threading.Event()

    def fail_once(connection: Any, plan: Any, *args: Any) -> Any:
        if plan is reading.ended and not failed.is_set():
            failed.set()
            raise psycopg2.OperationalError("the server is away")
        return looked(connection, plan, *args)

    monkeypatch.setattr(drivers, "perform", fail_once)
    sent = zeke_jobs.send("anything")
    waiting = Waiting(lambda: zeke_jobs.wait(sent.id, 20))
    assert failed.wait(10)
    finish(conn, sent.id)
    assert waiting.result() is None


@pytest.mark.parametrize(
    ("said", "words"),
    [({"limit": -1}, "limit of at least 0, got -1"), *(({name: timedelta.max}, f"{name} of at most 100 years") for name in ("newer", "older"))],
)  # fmt: skip
def test_a_bound_that_makes_no_sense_is_refused_in_words(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"expected {words}"):
        zeke_jobs.jobs(**said)


@pytest.mark.parametrize("forever", [float("inf"), 1e300, timedelta.max])
def test_waiting_without_end_is_waiting_without_a_timeout(conn: Connection, forever: float | timedelta) -> None:
    sent = zeke_jobs.send("anything")
    waiting = Waiting(lambda: zeke_jobs.wait(sent.id, forever))
    finish(conn, sent.id, '{"n": 1}')
    assert waiting.result() == {"n": 1}
