from collections.abc import Callable

import pytest

from tests.each import each
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.control import actions
from zeke_jobs.errors import UnknownTask

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
    jobs.add("pull")
    assert actions.pause(jobs.conn, target, by=BY)
    assert (claimed(jobs), claimed(jobs, "slow")) == (0, 1)
    assert actions.resume(jobs.conn, target)
    assert claimed(jobs) == 1


def test_a_pause_by_the_file_is_listed_too_and_no_resume_ends_it(jobs: Jobs) -> None:
    jobs.use(
        "  analyze: {handler: 'H:echo', paused: true}\n  limited: {handler: 'H:echo', uses: [ai]}",
        "limits: {ai: {concurrency: 5, paused: true}}",
    )
    jobs.add("analyze", 2)
    jobs.add("limited", 3)
    found = [(one.target, one.paused_by, one.waiting) for one in actions.paused(jobs.conn)]
    assert sorted(found) == [("limit/ai", "jobs.yaml", 3), ("task/analyze", "jobs.yaml", 2)]
    assert not actions.resume(jobs.conn, "task/analyze")
    assert claimed(jobs) == 0


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
    actions.pause(jobs.conn, "schedule/pull", by=BY)
    jobs.use(tasks)
    (one,) = actions.paused(jobs.conn)
    assert actions.resume(jobs.conn, one.target)
    assert actions.paused(jobs.conn) == []


@each(
    ("target", "nearest"),
    [
        ("task/analize", "task/analyze"),
        ("analyze", "task/analyze"),
        ("limit/ia", "limit/ai"),
        ("queue/defualt", "queue/default"),
    ],
)
def test_an_unknown_target_is_refused_and_the_nearest_is_named(jobs: Jobs, target: str, nearest: str) -> None:
    with pytest.raises(UnknownTask, match=f"got '{target}'; did you mean '{nearest}'"):
        actions.pause(jobs.conn, target, by=BY)
    with pytest.raises(UnknownTask):
        actions.resume(jobs.conn, target)


@pytest.mark.parametrize(
    ("target", "queue"), [("task/analyze", "default"), ("queue/slow", "slow"), ("limit/ai", "default")]
)
def test_a_resume_notifies_its_queues(jobs: Jobs, heard: Callable[[], list[str]], target: str, queue: str) -> None:
    jobs.worker(queues=("default", "slow"))
    jobs.rows("UPDATE zeke_jobs.worker SET idle = queues")
    actions.pause(jobs.conn, target, by=BY)
    heard()
    actions.resume(jobs.conn, target)
    assert heard() == [queue]
