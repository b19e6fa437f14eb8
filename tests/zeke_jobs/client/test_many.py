"""The client changes one job or many by a filter, and pages through all; ``worker/test_states.py`` has the model of the rows."""

import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.sql import change, rows, value
from zeke_jobs import cancel, prioritise, retry
from zeke_jobs.client import batches, many, reading
from zeke_jobs.client.changing import Changed
from zeke_jobs.errors import JobNotFound, UnknownTask
from zeke_jobs.postgres.pool import connect

LATER = datetime(2090, 1, 1, tzinfo=UTC)


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
    assert zeke_jobs.cancel(status="active") == [active.id]
    assert zeke_jobs.cancel(queue="second") == []
    assert zeke_jobs.status(left.id).status == "created"
    assert zeke_jobs.cancel(task="whatever") == [left.id]  # The job that is already being stopped is left out.


def test_failed_jobs_are_retried_by_their_error_and_cancelled_only_where_they_hold_others_up(conn: Connection) -> None:
    jobs = [zeke_jobs.send("anything").id for _ in range(3)]
    for job, message in zip(jobs, ("No Route", "timeout", "no route to host"), strict=True):
        fail(conn, job, message)
    change(conn, jobs[1], "order_hold = true, key = 'k'")
    assert zeke_jobs.cancel(task="anything", status="failed", limit=0) == []
    assert zeke_jobs.cancel(task="anything", status="failed") == [jobs[1]]
    fail(conn, jobs[1], "timeout")
    change(conn, jobs[1], "cancelled_on = NULL")
    assert zeke_jobs.retry(error="no route", limit=1) == [jobs[0]]
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


@pytest.mark.parametrize("make_due", [zeke_jobs.retry, lambda job: zeke_jobs.reschedule(job, delay=0)])
def test_a_job_that_is_made_due_notifies_its_queue(
    make_due: Callable[..., object], conn: Connection, heard: Callable[[], list[str]]
) -> None:
    sent = zeke_jobs.send("anything", delay=3600)
    if make_due is zeke_jobs.retry:
        fail(conn, sent.id)
    rows(conn, "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues, idle) VALUES (gen_random_uuid(), 'worker', 'h', 1, '0', '{default}', '{default}')")  # fmt: skip
    heard()
    make_due(sent.id)
    assert heard() == ["default"]


def test_many_are_changed_in_parts_each_a_transaction_and_each_on_record(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_AT_ONCE", 4)
    sent = zeke_jobs.send_many("anything", [{}] * 10)
    parts = many.Change("prioritise", {"task": "anything"}, value={"priority": 3}, by="ada").parts()
    assert len(next(parts)) == 4
    assert value(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE priority = 3") == 4
    assert sorted(job_id for part in parts for job_id in part) == sorted(one.id for one in sent)[4:]
    assert rows(
        conn, "SELECT action, target, said_by, reason, cardinality(jobs) FROM zeke_jobs.audit ORDER BY number"
    ) == [("prioritise", "task/anything", "ada", "priority 3", size) for size in (4, 4, 2)]


def test_jobs_that_are_sent_or_claimed_meanwhile_are_left(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_job_that_somebody_holds_holds_up_no_other_and_is_changed_after_them(
    conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    ("said", "error", "fault"),
    [
        ({"task": "whatver"}, UnknownTask, "did you mean 'whatever'"),
        ({"statsu": "created"}, TypeError, "did you mean 'status'"),
        ({"status": "completed"}, ValueError, "expected status created, retry, active, failed of jobs to cancel, got completed"),
        ({"newer": 5}, TypeError, "expected newer as a timedelta, got 5"),
        ({"key": 5}, TypeError, "expected key as text, got 5"),
        ({"key": "k", "limit": -1}, ValueError, "expected limit of at least 0, got -1"),
        ({"limit": 5}, ValueError, "expected an id, or a filter .*, got neither"),
        ({}, ValueError, "expected an id, or a filter .*, got neither"),
        ({"id": uuid.uuid4(), "key": "a"}, ValueError, "got both"),
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_changes_nothing(said: dict[str, Any], error: type[Exception], fault: str) -> None:
    sent = zeke_jobs.send("anything")
    with pytest.raises(error, match=fault):
        zeke_jobs.cancel(**said)
    assert zeke_jobs.status(sent.id).status == "created"


@each(
    ("call", "fault"),
    [
        ("change_jobs('cancel', '{}')", "expected a filter of batch, .*, got none"),
        ("change_jobs('delete', '{\"task\": \"a\"}')", "expected cancel, retry, prioritise or reschedule, got 'delete'"),
        ("change_jobs('prioritise', '{\"task\": \"a\"}')", "expected priority"),
        ("change_jobs('reschedule', '{\"task\": \"a\"}')", "expected run_at or delay"),
        ("change_jobs('retry', '{\"status\": \"active\"}')", "expected status failed, cancelled of jobs to retry, got active"),
    ],
)  # fmt: skip
def test_sql_changes_many_and_refuses_what_python_refuses(conn: Connection, call: str, fault: str) -> None:
    sent = zeke_jobs.send("anything", delay=60)
    change_ = "zeke_jobs.change_jobs('reschedule', '{\"task\": \"whatever\"}', '{\"delay\": \"1 hour\"}', by => 'ada')"
    assert rows(conn, f"SELECT passed, last FROM {change_}") == [([], None)]
    assert timedelta(minutes=59) < zeke_jobs.status(sent.id).run_at - datetime.now(UTC) < timedelta(minutes=61)
    with pytest.raises(Exception, match=fault) as error:
        rows(conn, f"SELECT * FROM zeke_jobs.{call}")
    assert getattr(error.value, "pgcode", None) == "22023"


def test_the_cursor_goes_over_all_jobs_or_batches_page_by_page_the_newest_first_without_an_open_transaction(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_PAGE", 3)
    at_once = zeke_jobs.send_many("anything", [{}] * 7)  # All seven jobs have the same time.
    last = zeke_jobs.send("other")
    found = zeke_jobs.jobs()
    assert next(found).id == last.id
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    assert value(conn, idle) == 0
    zeke_jobs.send("other")  # The cursor does not show the new job.
    rest = [job.id for job in found]
    assert rest == sorted((one.id for one in at_once), reverse=True)
    assert len(list(zeke_jobs.jobs(limit=5))) == 5
    assert [job.id for job in zeke_jobs.jobs(task="other", limit=1)] != [last.id]
    for name in ("a", "b"):
        zeke_jobs.send_many("anything", [{}], batch=name)
    assert [[one.id for one in batches.batches(limit=most)] for most in (None, 1)] == [["b", "a"], ["b"]]
