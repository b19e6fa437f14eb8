"""A send or an end of a job notifies the right processes."""

from collections.abc import Callable
from uuid import UUID

import pytest

import zeke_jobs
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.postgres.queries import SQL

QUEUES = ("default", "slow")


def waits(jobs: Jobs, worker: UUID, *queues: str, limited: tuple[str, ...] = ()) -> None:
    """Let a worker ask for wake-ups, by default of the queue ``default``."""
    SQL.run(jobs.conn, "worker/waits", worker=worker, idle=list(queues or ("default",)), limited=list(limited))


def test_jobs_notify_waited_for_queues_once_a_statement(jobs: Jobs, heard: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo', queue: slow}")
    for _ in range(3):
        waits(jobs, worker := jobs.worker(queues=QUEUES))
    jobs.add("b")
    assert heard() == []
    jobs.add("a")
    assert heard() == ["default"]
    zeke_jobs.send_many("a", [{}, {}], connection=jobs.conn)
    assert heard() == ["default"]
    for queues, told in ((QUEUES, ["default", "slow"]), (("default",), ["default"])):
        waits(jobs, worker, *queues)
        jobs.add("b")
        jobs.add("a")
        assert heard() == told


def test_a_job_that_is_due_before_the_next_look_is_told(jobs: Jobs, heard: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    waits(jobs, jobs.me)
    zeke_jobs.send("a", {}, delay=2, connection=jobs.conn)
    zeke_jobs.send_many("a", [{}], delay=2, connection=jobs.conn)
    assert heard() == ["default", "default"]
    zeke_jobs.send("a", {}, delay=60, connection=jobs.conn)
    assert heard() == []
    jobs.add("a")
    for outcome, delay, told in (("retry", 0.001, ["default"]), ("deferred", 60, [])):
        (claimed,) = jobs.claim(jobs.me, 1)
        heard()
        jobs.finish(jobs.me, claimed, outcome, delay=delay)
        assert heard() == told
        jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", claimed["message_id"])


def test_the_jobs_of_a_transaction_name_one_waiting_process(jobs: Jobs, woken: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    waiting = [jobs.worker() for _ in range(9)]
    for worker in waiting:
        waits(jobs, worker)
    named = set()
    for _ in range(20):
        with jobs.conn:
            jobs.add("a", 3)
        (first,) = woken()
        named.add(first)
    assert named <= {f"{worker} default a" for worker in waiting}
    assert len(named) > 3, "not always the same one"


@pytest.mark.parametrize("by_process", [True, False])
def test_a_freed_limit_wakes_one_now_or_all_later(jobs: Jobs, woken: Callable[[], list[str]], by_process: bool) -> None:
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


@pytest.mark.parametrize(
    ("limited", "ended", "notified"),
    [
        (("limit/few",), "a", ["default", "slow"]),
        (("limit/few",), "b", ["default", "slow"]),
        (("task/c",), "a", []),
        (("task/c", "task/keyed"), "keyed", ["default"]),
        ((), "a", []),
    ],
)
def test_an_end_notifies_the_processes_that_its_limits_held_back(
    jobs: Jobs, heard: Callable[[], list[str]], limited: tuple[str, ...], ended: str, notified: list[str]
) -> None:
    jobs.use(SHARED, POOL)
    jobs.add(ended, options='{"key": "k"}')
    mine, other = jobs.worker(queues=QUEUES), jobs.worker(queues=QUEUES)
    (job,) = jobs.claim(mine, 1, queue="slow" if ended == "b" else "default")
    for worker in (mine, other):
        waits(jobs, worker, *QUEUES, limited=limited)
    jobs.complete(mine, [job])
    assert heard() == notified


@pytest.mark.parametrize("how", ["complete", "fence", "retry", "failed", "returned", "handed back"])
def test_each_end_notifies_another_queue_under_its_limit(jobs: Jobs, heard: Callable[[], list[str]], how: str) -> None:
    jobs.use(SHARED, POOL)
    jobs.add("a")
    mine, other = jobs.worker(queues=QUEUES), jobs.worker(queues=QUEUES)
    (job,) = jobs.claim(mine, 1)
    waits(jobs, other, "slow", limited=("limit/few",))
    if how == "complete":
        jobs.complete(mine, [job])
    elif how == "fence":
        assert jobs.fence(mine, job["message_id"], job["claim"], result="null")
    elif how == "handed back":
        jobs.hand_back(mine, [job])
    else:
        jobs.finish(mine, job, how, after=None if how == "returned" else 0.0)
    assert "slow" in heard()


def test_a_delayed_job_is_waited_for_whatever_its_priority(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', priority: 1}\n  b: {handler: 'H:echo'}\n  c: {handler: 'H:echo', queue: slow}")
    jobs.at()
    due = "SELECT zeke_jobs.next_due('default', '{a,b,c}') AS due"
    assert jobs.rows(due) == [{"due": None}]
    for task, priority, delay in (("c", 0, 1), ("b", 0, 50), ("a", 1, 40), ("a", -3, 30), ("b", 7, 20), ("a", 9, 10)):
        jobs.add(task, options=f'{{"priority": {priority}, "delay": {delay}}}')
        expected = None if task == "c" else delay
        assert jobs.rows(due) == [{"due": expected}]
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE priority = 9")
    jobs.end("retry", delay=5.0)
    assert jobs.rows(due) == [{"due": 5}]
