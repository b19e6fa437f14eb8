"""Clients read, await and change one job, or many by a filter. ``worker/test_states.py`` models all states of a job."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.sql import change, rows, value
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs import cancel, prioritise, retry
from zeke_jobs.client import batches, drivers, many, reading
from zeke_jobs.postgres.pool import connect

ERROR = """'[{"attempt": 1, "outcome": "retry", "error": {"type": "OSError", "message": "no route"}}]'"""
LATER = datetime(2090, 1, 1, tzinfo=UTC)


def finish(conn: Connection, job_id: object, result: str = "null") -> None:
    worker = uuid.UUID(int=1)
    change(conn, job_id, f"state = 'consumed', claim = 1, worker = '{worker}'")
    assert Jobs(conn).complete(worker, [{"message_id": job_id, "claim": 1}], result) == [job_id]


def test_the_status_of_a_new_job_has_everything_and_an_unknown_id_is_told_from_a_purged_one(conn: Connection) -> None:
    parent = uuid.uuid4()
    sent = zeke_jobs.send("anything", {"a": [1]}, priority=4, parent=parent, key="k")
    job = zeke_jobs.status(str(sent.id))
    assert isinstance(job, zeke_jobs.Job)
    assert (job.id, job.status, job.task_id, job.data, job.output) == (sent.id, "created", "anything", {"a": [1]}, None)
    assert (job.retry_count, job.error, job.parent, job.attempts, job.priority) == (0, None, parent, [], 4)
    assert (job.attempt, job.worker) == (0, None)
    assert abs(job.created_on - datetime.now(UTC)) < timedelta(minutes=1)
    assert (job.started_on, job.completed_on, job.key, job.has_ended) == (None, None, "k", False)
    route = {"type": "OSError", "message": "no route"}
    for changes, error in (("attempt = 1", route), ("state = 'consumed'", None), ("state = 'done'", None)):
        change(conn, sent.id, f"{changes}, attempts = {ERROR}")
        assert zeke_jobs.status(sent.id).error == error
    gone = uuid.uuid4()
    columns = "id, name, state, queue, priority, attempt, deaths, run_at, created_on, completed_on"
    purged = f"'{gone}', 'anything', 'failed', 'default', 0, 4, 0, now(), now(), '2026-01-02 03:04Z'"
    rows(conn, f"INSERT INTO zeke_jobs.history ({columns}) VALUES ({purged})")
    with pytest.raises(zeke_jobs.errors.JobPurged, match="anything, failed on 2026-01-02 03:04 UTC, purged since"):
        zeke_jobs.status(gone)
    with pytest.raises(zeke_jobs.errors.JobNotFound, match="no job has it") as unknown:
        zeke_jobs.status(uuid.uuid4())
    assert not isinstance(unknown.value, zeke_jobs.errors.JobPurged)
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
    for said, words in (
        ({"status": "finished"}, "a status"),
        ({"limit": -1}, "limit of at least 0, got -1"),
        ({"newer": timedelta.max}, "newer of at most 100 years"),
    ):
        with pytest.raises(ValueError, match=f"expected {words}"):
            ids(**said)


@pytest.mark.parametrize("timeout", [60, float("inf"), 1e300, timedelta.max])
def test_a_wait_ends_soon_and_outlives_a_loss(conn: Connection, timeout: float | timedelta, monkeypatch: Patch) -> None:
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


@each(
    "verb changes status note",
    (cancel, "state = 'done'", "completed", "ended already as completed; nothing was changed"),
    (cancel, "state = 'rejected'", "failed", "ended already as failed; nothing was changed"),
    (partial(prioritise, priority=7), "state = 'consumed'", "active", "active; only queued jobs are changed"),
    (retry, "attempt = 0", "created", "created; nothing to retry"),
    (retry, "state = 'consumed'", "active", "active; nothing to retry"),
    (retry, "state = 'done'", "completed", "completed; completed jobs are not run again; send a new one"),
)
def test_other_jobs_are_left_alone(conn: Connection, verb: Any, changes: str, status: str, note: str) -> None:
    sent = zeke_jobs.send("anything")
    change(conn, sent.id, changes)
    done = verb(sent.id)
    assert (done.changed, done.status, done.note) == (False, status, note)
    assert zeke_jobs.status(sent.id).cancelled_on is None
    with pytest.raises(zeke_jobs.errors.JobNotFound):
        verb(uuid.uuid4())
    assert rows(conn, "SELECT action FROM zeke_jobs.audit") == [], "what did not happen is not written down"


def fail(conn: Connection, job_id: object, message: str = "no route") -> None:
    error = f'[{{"attempt": 1, "outcome": "failed", "error": {{"type": "OSError", "message": "{message}"}}}}]'
    change(conn, job_id, f"state = 'rejected', completed_on = now(), attempt = 1, attempts = '{error}'")


def test_jobs_are_cancelled_by_each_filter_and_the_rest_is_left(conn: Connection) -> None:
    by_task = zeke_jobs.send("other")
    by_key = zeke_jobs.send("anything", key="a")
    by_parent = zeke_jobs.send("anything", parent=by_key.id)
    by_batch = zeke_jobs.send("anything", batch="import-1")
    old = zeke_jobs.send("anything")
    change(conn, old.id, "created_on = now() - interval '2 hours'")
    active = zeke_jobs.send("anything")
    change(conn, active.id, "state = 'consumed', attempt = 1, started_on = now()")
    left = zeke_jobs.send("anything")
    assert zeke_jobs.cancel(task="other", reason="not needed") == [by_task.id]
    assert zeke_jobs.status(by_task.id).cancel_reason == "not needed"
    assert zeke_jobs.cancel(key="a") == [by_key.id]
    assert zeke_jobs.cancel(parent=by_key.id) == [by_parent.id]
    assert zeke_jobs.cancel(batch="import-1") == [by_batch.id]
    assert zeke_jobs.cancel(older=timedelta(hours=1)) == [old.id]
    assert zeke_jobs.cancel(status="active", reason="first") == [active.id]
    zeke_jobs.cancel(active.id, "second")  # Its worker stops the job, which keeps the first reason.
    job = zeke_jobs.status(active.id)
    assert (job.status, job.cancel_reason, job.completed_on) == ("active", "first", None)
    assert zeke_jobs.cancel(queue="second") == []
    assert zeke_jobs.status(left.id).status == "created"
    zeke_jobs.retry(by_task.id)
    assert zeke_jobs.status(by_task.id).cancel_reason is None
    assert zeke_jobs.cancel(task="whatever") == [left.id]  # The job that is already being stopped is left out.


def test_failed_jobs_are_retried_by_their_error_and_cancelled_only_where_they_hold_others_up(conn: Connection) -> None:
    jobs = [zeke_jobs.send("anything").id for _ in range(3)]
    for one, message in zip(jobs, ("No Route", "timeout", "no route to host"), strict=True):
        fail(conn, one, message)
    change(conn, jobs[1], "order_hold = true, key = 'k'")
    assert zeke_jobs.cancel(task="anything", status="failed", limit=0) == []
    assert zeke_jobs.cancel(task="anything", status="failed") == [jobs[1]]
    fail(conn, jobs[1], "timeout")
    change(conn, jobs[1], "cancelled_on = NULL")
    assert zeke_jobs.retry(error="no route", limit=1) == [jobs[0]]
    job = zeke_jobs.status(jobs[0])
    assert (job.status, job.retry_count, job.attempts[0]["error"]["message"]) == ("retry", 0, "No Route")
    assert (job.completed_on, job.cancelled_on, job.cancel_reason) == (None, None, None)
    assert zeke_jobs.retry(error="no route") == [jobs[2]]
    assert zeke_jobs.retry(error="oserror: time") == [jobs[1]]


def test_a_queued_job_gets_another_priority_and_another_time() -> None:
    sent = zeke_jobs.send("anything")
    done = zeke_jobs.prioritise(sent.id, priority=7)
    assert (done.changed, done.status, done.note) == (True, "created", "its priority is 7 now")
    assert zeke_jobs.prioritise(sent.id, priority=7).note == "it has this value already"
    assert zeke_jobs.reschedule(sent.id, run_at=LATER).changed
    job = zeke_jobs.status(sent.id)
    assert (job.priority, job.run_at) == (7, LATER)
    assert zeke_jobs.reschedule(sent.id, delay=0).changed
    assert zeke_jobs.status(sent.id).run_at < datetime.now(UTC) + timedelta(minutes=1)
    # A job that is already due keeps its place in the queue.
    assert not zeke_jobs.reschedule(sent.id, delay=0).changed


def test_many_are_changed_in_parts_on_record_and_later_jobs_are_left(conn: Connection, monkeypatch: Patch) -> None:
    monkeypatch.setattr(many, "_AT_ONCE", 4)
    sent = zeke_jobs.send_many("anything", [{}] * 10)
    parts = many.Change("prioritise", {"task": "anything"}, value={"priority": 3}, by="ada").parts()
    assert len(next(parts)) == 4
    assert value(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE priority = 3") == 4
    assert sorted(job_id for part in parts for job_id in part) == sorted(one.id for one in sent)[4:]
    audit = "SELECT action, target, said_by, reason, cardinality(jobs) FROM zeke_jobs.audit ORDER BY number"
    assert rows(conn, audit) == [("prioritise", "task/anything", "ada", "priority 3", size) for size in (4, 4, 2)]
    monkeypatch.setattr(many, "_AT_ONCE", 2)
    zeke_jobs.send_many("anything", [{}] * 4)
    parts = many.Change("cancel", {"task": "anything"}).parts()
    next(parts)
    late = zeke_jobs.send("anything")
    assert late.id not in [job_id for part in parts for job_id in part]
    assert zeke_jobs.status(late.id).status == "created"
    found = many.Change("cancel", {"status": "created"})
    assert [one.jobs for one in found.count()] == [1]
    change(conn, late.id, "state = 'consumed', attempt = 1, started_on = now()")
    assert found.all() == []
    assert zeke_jobs.status(late.id).cancelled_on is None


def test_a_locked_job_holds_up_none_and_is_changed_last(conn: Connection, database: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(many, "_AT_ONCE", 2)
    first, *rest = sorted(one.id for one in zeke_jobs.send_many("anything", [{}] * 4))
    with closing(connect(database)) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        assert len(zeke_jobs.prioritise(task="anything", priority=9, connection=holder)) == 4
        cursor.execute("ROLLBACK")  # A caller's transaction has all of it or nothing.
        assert value(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE priority = 9") == 0
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM zeke_jobs.queue WHERE message_id = %s FOR UPDATE", (str(first),))
        with closing(connect(database)) as mine:
            rows(mine, "SET lock_timeout = '1s'")
            assert zeke_jobs.prioritise(task="anything", priority=2, limit=3, connection=mine) == rest
        parts = many.Change("prioritise", {"task": "anything"}, value={"priority": 3}).parts()
        assert [*next(parts), *next(parts)] == rest
        release = threading.Timer(0.2, lambda: cursor.execute("COMMIT"))
        release.start()
        assert list(parts) == [[], [first]]
        release.join()
    assert value(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE priority = 3") == 4


@each(
    "said error fault",
    ({"task": "whatver"}, zeke_jobs.errors.UnknownTask, "did you mean 'whatever'"),
    ({"statsu": "created"}, TypeError, "did you mean 'status'"),
    ({"status": "completed"}, ValueError, "expected status created, retry, active, failed of jobs to cancel, got completed"),
    ({"newer": 5}, TypeError, "expected newer as a timedelta, got 5"),
    ({"key": 5}, TypeError, "expected key as text, got 5"),
    ({"key": "k", "limit": -1}, ValueError, "expected limit of at least 0, got -1"),
    ({"limit": 5}, ValueError, "expected an id, or a filter .*, got neither"),
    ({}, ValueError, "expected an id, or a filter .*, got neither"),
    ({"id": uuid.uuid4(), "key": "a"}, ValueError, "got both"),
)  # fmt: skip
def test_a_filter_that_makes_no_sense_changes_nothing(said: dict[str, Any], error: type[Exception], fault: str) -> None:
    sent = zeke_jobs.send("anything")
    with pytest.raises(error, match=fault):
        zeke_jobs.cancel(**said)
    assert zeke_jobs.status(sent.id).status == "created"


@each(
    "call fault",
    ("change_jobs('cancel', '{}')", "expected a filter of batch, .*, got none"),
    ("change_jobs('delete', '{\"task\": \"a\"}')", "expected cancel, retry, prioritise or reschedule, got 'delete'"),
    ("change_jobs('prioritise', '{\"task\": \"a\"}')", "expected priority"),
    ("change_jobs('reschedule', '{\"task\": \"a\"}')", "expected run_at or delay"),
    ("change_jobs('retry', '{\"status\": \"active\"}')", "expected status failed, cancelled of jobs to retry, got active"),
)  # fmt: skip
def test_sql_changes_many_and_refuses_what_python_refuses(conn: Connection, call: str, fault: str) -> None:
    sent = zeke_jobs.send("anything", delay=60)
    change_ = "zeke_jobs.change_jobs('reschedule', '{\"task\": \"whatever\"}', '{\"delay\": \"1 hour\"}', by => 'ada')"
    assert rows(conn, f"SELECT passed, last FROM {change_}") == [([], None)]
    assert timedelta(minutes=59) < zeke_jobs.status(sent.id).run_at - datetime.now(UTC) < timedelta(minutes=61)
    with pytest.raises(Exception, match=fault) as error:
        rows(conn, f"SELECT * FROM zeke_jobs.{call}")
    assert getattr(error.value, "pgcode", None) == "22023"


def test_the_cursor_pages_newest_first_without_an_open_transaction(conn: Connection, monkeypatch: Patch) -> None:
    monkeypatch.setattr(reading, "_PAGE", 3)
    at_once = zeke_jobs.send_many("anything", [{}] * 7)  # All seven jobs have the same time.
    last = zeke_jobs.send("other")
    found = zeke_jobs.jobs()
    assert next(found).id == last.id
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert value(conn, idle) == 0
    zeke_jobs.send("other")  # The cursor does not show the new job.
    assert [job.id for job in found] == sorted((one.id for one in at_once), reverse=True)
    assert len(list(zeke_jobs.jobs(limit=5))) == 5
    assert [job.id for job in zeke_jobs.jobs(task="other", limit=1)] != [last.id]
    for name in ("a", "b"):
        zeke_jobs.send_many("anything", [{}], batch=name)
    assert [[one.id for one in batches.batches(limit=most)] for most in (None, 1)] == [["b", "a"], ["b"]]
