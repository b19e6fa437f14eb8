"""Sending a job, or ending a job or pause, wakes processes that wait for it. No job of a paused task, queue or limit starts."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias
from uuid import UUID

import pytest

import zeke_jobs
from tests.each import cases, each
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.control import actions
from zeke_jobs.errors import UnknownTask
from zeke_jobs.postgres.queries import SQL

Heard: TypeAlias = Callable[[], list[str]]
QUEUES = ("default", "slow")


def waits(jobs: Jobs, worker: UUID, *queues: str, limited: tuple[str, ...] = ()) -> None:
    """Let a worker ask to be woken for these queues, by default for ``default``."""
    SQL.run(jobs.conn, "worker/waits", worker=worker, idle=list(queues or ("default",)), limited=list(limited))


def test_jobs_notify_one_process_once_a_statement(jobs: Jobs, heard: Heard, woken: Heard) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo', queue: slow}")
    waiting = [jobs.worker(queues=QUEUES) for _ in range(9)]
    for worker in waiting:
        waits(jobs, worker)
    jobs.add("b")
    assert heard() == []
    jobs.add("a")
    assert heard() == ["default"]
    zeke_jobs.send_many("a", [{}, {}], connection=jobs.conn)
    assert heard() == ["default"]
    named = set()
    for _ in range(20):
        with jobs.conn:
            jobs.add("a", 3)
        (first,) = woken()
        named.add(first)
    assert named <= {f"{worker} default a" for worker in waiting}
    assert len(named) > 3, "not always the same one"
    for queues, told in ((QUEUES, ["default", "slow"]), (("default",), ["default"])):
        waits(jobs, waiting[0], *queues)
        jobs.add("b")
        jobs.add("a")
        assert heard() == told


def test_a_job_that_is_due_before_the_next_look_is_told(jobs: Jobs, heard: Heard) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    waits(jobs, jobs.me)
    zeke_jobs.send("a", {}, delay=2, connection=jobs.conn)
    zeke_jobs.send_many("a", [{}], delay=2, connection=jobs.conn)
    assert heard() == ["default", "default"]
    later = zeke_jobs.send("a", {}, delay=60, connection=jobs.conn).id
    assert heard() == []
    for make_due in (partial(zeke_jobs.reschedule, delay=0), zeke_jobs.retry):
        make_due(later)
        assert heard() == ["default"]
        zeke_jobs.cancel(later)
    jobs.add("a")
    for outcome, delay, told in (("retry", 0.001, ["default"]), ("deferred", 60, [])):
        (claimed,) = jobs.claim(jobs.me, 1)
        heard()
        jobs.finish(jobs.me, claimed, outcome, delay=delay)
        assert heard() == told
        jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", claimed["message_id"])


@pytest.mark.parametrize("by_process", [True, False])
def test_a_freed_limit_wakes_one_now_or_all_later(jobs: Jobs, woken: Heard, by_process: bool) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1}")
    one, other = jobs.worker(), jobs.worker()
    for worker in (one, other):
        waits(jobs, worker, limited=("task/a",))
    jobs.rows("SELECT zeke_jobs.notify_freed('{a}', %s, true)", one if by_process else None)
    (payload,) = woken()
    assert payload.strip() in (["later default"] if by_process else [f"{one} default", f"{other} default"])


POOL = "limits: {few: {concurrency: 2}}"
SHARED = """
  a: {handler: 'H:echo', uses: [few]}
  b: {handler: 'H:echo', uses: [few], queue: slow}
  c: {handler: 'H:echo', concurrency: 1}
  keyed: {handler: 'H:echo', concurrency: {limit: 9, per_key: 1}}
"""


BOTH = {"default", "slow"}


@cases(
    "how limited ended notified",
    *((how, ("limit/few",), "a", BOTH) for how in ("fence", "retry", "failed", "returned", "handed back")),
    ("complete", ("limit/few",), "a", BOTH),
    ("complete", ("limit/few",), "b", BOTH),
    ("complete", ("task/c",), "a", set()),
    ("complete", ("task/c", "task/keyed"), "keyed", {"default"}),
    ("complete", (), "a", set()),
)
def test_each_end_notifies_whom_its_limits_held_back(
    jobs: Jobs, heard: Heard, how: str, limited: tuple[str, ...], ended: str, notified: set[str]
) -> None:
    jobs.use(SHARED, POOL)
    jobs.add(ended, options='{"key": "k"}')
    mine, other = jobs.worker(queues=QUEUES), jobs.worker(queues=QUEUES)
    (job,) = jobs.claim(mine, 1, queue="slow" if ended == "b" else "default")
    for worker in (mine, other):
        waits(jobs, worker, *QUEUES, limited=limited)
    match how:
        case "complete":
            jobs.complete(mine, [job])
        case "fence":
            assert jobs.fence(mine, job["message_id"], job["claim"], result="null")
        case "handed back":
            jobs.hand_back(mine, [job])
        case _:
            jobs.finish(mine, job, how, after=None if how == "returned" else 0.0)
    assert set(heard()) == notified


def test_a_delayed_job_is_waited_for_whatever_its_priority(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', priority: 1}\n  b: {handler: 'H:echo'}\n  c: {handler: 'H:echo', queue: slow}")
    jobs.at()
    due = "SELECT zeke_jobs.next_due('default', '{a,b,c}') AS due"
    for task, priority, delay in (("c", 0, 1), ("b", 0, 50), ("a", 1, 40), ("a", -3, 30), ("b", 7, 20), ("a", 9, 10)):
        jobs.add(task, options=f'{{"priority": {priority}, "delay": {delay}}}')
        assert jobs.rows(due) == [{"due": None if task == "c" else delay}]
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE priority = 9")
    jobs.end("retry", delay=5.0)
    assert jobs.rows(due) == [{"due": 5}]


AI = "limits: {ai: {concurrency: 5}}"
PAUSABLE = """
  analyze: {handler: 'H:echo', uses: [ai], aliases: [analyse]}
  pull: {handler: 'H:echo', queue: slow, cron: "*/5 * * * *"}
"""
BY = "ann@desk"


def claimed(jobs: Jobs, queue: str = "default") -> int:
    return len(jobs.claim(jobs.worker(queues=(queue,)), 10, queue=queue))


@pytest.mark.parametrize("target", ["task/analyze", "task/analyse", "queue/default", "limit/ai"])
def test_what_is_paused_starts_no_job_until_a_resume_notifies_its_queue(jobs: Jobs, heard: Heard, target: str) -> None:
    jobs.use(PAUSABLE, AI)
    jobs.add("analyze")
    jobs.add("pull")
    assert actions.pause(jobs.conn, target, by=BY)
    assert (claimed(jobs), claimed(jobs, "slow")) == (0, 1)
    jobs.worker(queues=("default", "slow"))
    jobs.rows("UPDATE zeke_jobs.worker SET idle = queues")
    heard()
    assert actions.resume(jobs.conn, target)
    assert heard() == ["default"]
    assert claimed(jobs) == 1


def test_a_pause_by_the_file_is_listed_too_and_no_resume_ends_it(jobs: Jobs) -> None:
    tasks = "  analyze: {handler: 'H:echo', paused: true}\n  limited: {handler: 'H:echo', uses: [ai]}"
    jobs.use(tasks, "limits: {ai: {concurrency: 5, paused: true}}")
    jobs.add("analyze", 2)
    jobs.add("limited", 3)
    found = [(one.target, one.paused_by, one.waiting) for one in actions.paused(jobs.conn)]
    assert sorted(found) == [("limit/ai", "jobs.yaml", 3), ("task/analyze", "jobs.yaml", 2)]
    assert not actions.resume(jobs.conn, "task/analyze")
    assert claimed(jobs) == 0


@cases(
    "tasks",
    "  other: {handler: 'H:echo'}",
    "  pull: {handler: 'H:echo'}",
    "  fetch: {handler: 'H:echo', aliases: [pull]}",
    "  fetch: {handler: 'H:echo', aliases: [pull], cron: '0 9 * * *'}",
)
def test_the_pause_of_a_schedule_that_left_the_file_can_be_ended(jobs: Jobs, tasks: str) -> None:
    jobs.use(PAUSABLE, AI)
    actions.pause(jobs.conn, "schedule/pull", by=BY)
    jobs.use(tasks)
    (one,) = actions.paused(jobs.conn)
    assert actions.resume(jobs.conn, one.target)
    assert actions.paused(jobs.conn) == []


@each(
    "target nearest",
    ("task/analize", "task/analyze"),
    ("analyze", "task/analyze"),
    ("limit/ia", "limit/ai"),
    ("queue/defualt", "queue/default"),
)
def test_an_unknown_target_is_refused_and_the_nearest_is_named(jobs: Jobs, target: str, nearest: str) -> None:
    jobs.use(PAUSABLE, AI)
    with pytest.raises(UnknownTask, match=f"got '{target}'; did you mean '{nearest}'"):
        actions.pause(jobs.conn, target, by=BY)
    with pytest.raises(UnknownTask):
        actions.resume(jobs.conn, target)
