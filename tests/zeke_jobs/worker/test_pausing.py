from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

import pytest

import zeke_jobs
from zeke_jobs.control import pausing, schedules
from zeke_jobs.control.pausing import UnknownTarget
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.worker.conftest import Jobs
    from zeke_jobs.worker.broker import JobBroker

TOP = "limits: {ai: {concurrency: 5}}"
TASKS = """
  analyze: {handler: 'H:echo', uses: [ai], aliases: [analyse]}
  pull: {handler: 'H:echo', queue: slow, cron: "*/5 * * * *"}
"""
BY = "ann@desk"


@pytest.fixture(autouse=True)
def catalogue(jobs: Jobs) -> None:
    jobs.use(TASKS, TOP)


def claimed(jobs: Jobs, queue: str = "default") -> int:
    return len(jobs.claim(jobs.worker(queues=(queue,)), 10, queue=queue))


@pytest.mark.parametrize("target", ["task/analyze", "task/analyse", "queue/default", "limit/ai"])
def test_what_is_paused_starts_no_jobs_until_it_is_resumed(jobs: Jobs, target: str) -> None:
    jobs.add("analyze")
    assert pausing.pause(jobs.conn, target, by=BY)
    assert claimed(jobs) == 0
    assert pausing.resume(jobs.conn, target)
    assert claimed(jobs) == 1


def test_the_rest_goes_on(jobs: Jobs) -> None:
    jobs.add("pull")
    pausing.pause(jobs.conn, "task/analyze", by=BY)
    assert claimed(jobs, "slow") == 1


def test_a_pause_is_listed_with_who_why_and_what_waits(jobs: Jobs) -> None:
    jobs.add("analyze", 3)
    pausing.pause(jobs.conn, "task/analyse", by=BY, reason="the model is down")
    (one,) = pausing.paused(jobs.conn)
    assert (one.target, one.paused_by, one.reason, one.waiting) == ("task/analyze", BY, "the model is down", 3)
    assert one.paused_on is not None


def test_the_first_pause_stands(jobs: Jobs) -> None:
    assert pausing.pause(jobs.conn, "limit/ai", by=BY, reason="first")
    assert not pausing.pause(jobs.conn, "limit/ai", by="bob@desk", reason="second")
    assert [one.reason for one in pausing.paused(jobs.conn)] == ["first"]


def test_resuming_what_nobody_paused_changes_nothing(jobs: Jobs) -> None:
    assert not pausing.resume(jobs.conn, "limit/ai")


def test_a_schedule_is_paused_by_the_same_words(jobs: Jobs) -> None:
    assert pausing.pause(jobs.conn, "schedule/pull", by=BY)
    assert jobs.rows("SELECT paused, paused_by FROM zeke_jobs.schedule") == [{"paused": True, "paused_by": BY}]
    assert pausing.resume(jobs.conn, "schedule/pull")
    assert jobs.rows("SELECT paused FROM zeke_jobs.schedule") == [{"paused": False}]


def test_a_pause_by_the_file_is_listed_too_and_no_resume_ends_it(jobs: Jobs) -> None:
    jobs.use("  analyze: {handler: 'H:echo', paused: true}")
    assert [(one.target, one.paused_by) for one in pausing.paused(jobs.conn)] == [("task/analyze", "jobs.yaml")]
    assert not pausing.resume(jobs.conn, "task/analyze")
    jobs.add("analyze")
    assert claimed(jobs) == 0


def test_a_pause_outlives_a_new_file_and_a_task_that_left_it(jobs: Jobs) -> None:
    pausing.pause(jobs.conn, "task/analyze", by=BY)
    jobs.use("  other: {handler: 'H:echo'}")
    assert [one.target for one in pausing.paused(jobs.conn)] == ["task/analyze"]
    assert pausing.resume(jobs.conn, "task/analyze")


@pytest.mark.parametrize(
    "tasks",
    [
        "  other: {handler: 'H:echo'}",
        "  pull: {handler: 'H:echo'}",
        "  fetch: {handler: 'H:echo', aliases: [pull]}",
        "  fetch: {handler: 'H:echo', aliases: [pull], cron: '0 9 * * *'}",
    ],
)
def test_the_pause_of_a_schedule_that_left_the_file_can_be_ended(jobs: Jobs, tasks: str) -> None:
    pausing.pause(jobs.conn, "schedule/pull", by=BY)
    jobs.use(tasks)
    (one,) = pausing.paused(jobs.conn)
    assert pausing.resume(jobs.conn, one.target)
    assert pausing.paused(jobs.conn) == []


def test_the_words_for_schedules_end_it_too_and_refuse_what_nobody_paused(jobs: Jobs) -> None:
    pausing.pause(jobs.conn, "schedule/pull", by=BY)
    jobs.use("  pull: {handler: 'H:echo'}")
    assert schedules.resume(jobs.conn, "pull")
    with pytest.raises(schedules.NoSchedule):
        schedules.resume(jobs.conn, "pull")


@pytest.mark.parametrize(
    ("target", "nearest"),
    [
        ("task/analize", "task/analyze"),
        ("analyze", "task/analyze"),
        ("limit/ia", "limit/ai"),
        ("queue/defualt", "queue/default"),
    ],
)
def test_an_unknown_target_is_refused_and_the_nearest_is_named(jobs: Jobs, target: str, nearest: str) -> None:
    with pytest.raises(UnknownTarget, match=f"got '{target}'; did you mean '{nearest}'"):
        pausing.pause(jobs.conn, target, by=BY)
    with pytest.raises(UnknownTarget):
        pausing.resume(jobs.conn, target)


@pytest.mark.parametrize(
    ("target", "queue"), [("task/analyze", "default"), ("queue/slow", "slow"), ("limit/ai", "default")]
)
def test_a_resume_notifies_the_queues_that_it_concerns(
    jobs: Jobs, other_conn: Connection, target: str, queue: str
) -> None:
    jobs.worker(queues=("default", "slow"))
    jobs.rows("UPDATE zeke_jobs.worker SET idle = queues")
    pausing.pause(jobs.conn, target, by=BY)
    with other_conn.cursor() as cursor:
        cursor.execute('LISTEN "zeke_jobs.wake"')
    pausing.resume(jobs.conn, target)
    assert select.select([other_conn], [], [], 5)[0]
    other_conn.poll()
    assert [notify.payload.split()[1] for notify in other_conn.notifies] == [queue]


def test_a_running_worker_honours_pause_and_resume_within_a_second(
    running: Callable[..., AbstractContextManager[JobBroker]], jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.producer._POLL", 3600.0)  # only the notification
    with running(TASKS, TOP):
        zeke_jobs.wait(zeke_jobs.send("analyze").id, timeout=10)
        pausing.pause(jobs.conn, "task/analyze", by=BY)
        held = zeke_jobs.send("analyze").id
        jobs.rows("SELECT pg_sleep(0.5)")
        assert zeke_jobs.status(held).status == "created"
        began = time.monotonic()
        pausing.resume(jobs.conn, "task/analyze")
        zeke_jobs.wait(held, timeout=10)
        assert time.monotonic() - began < 1


def test_a_limit_that_jobs_yaml_pauses_is_listed_by_its_name(jobs: Jobs) -> None:
    jobs.use(
        "  a: {handler: 'H:echo', uses: [s]}\n  b: {handler: 'H:echo', uses: [s]}",
        "limits: {s: {paused: true, concurrency: 2}}",
    )
    jobs.add("a", 2)
    jobs.add("b")
    assert [(one.target, one.paused_by, one.waiting) for one in pausing.paused(jobs.conn)] == [
        ("limit/s", "jobs.yaml", 3)
    ]


@pytest.mark.parametrize("target", ["task/a", "queue/default", "limit/s"])
def test_tasks_marks_a_task_whatever_pauses_it(jobs: Jobs, target: str) -> None:
    jobs.use(
        "  a: {handler: 'H:echo', uses: [s]}\n  b: {handler: 'H:echo', queue: slow}", "limits: {s: {concurrency: 2}}"
    )
    pausing.pause(jobs.conn, target, by="ada")
    with jobs.conn.cursor() as cursor:
        cursor.execute(SQL.text("job/counts"))
        assert {row[0]: row[6] for row in cursor.fetchall()} == {"a": True, "b": False}
