"""Claims ahead of a full limit: the number for each worker, the count of the limit meanwhile, and the views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.zeke_jobs.worker.conftest import Jobs

LIMITED = "  a: {handler: 'H:echo', concurrency: 3}\n  free: {handler: 'H:echo'}"


def look(
    jobs: Jobs, worker: UUID, more: int = 2, per_slot: int = 1, want: int = 20, **said: Any
) -> list[dict[str, Any]]:
    """A look of a worker whose jobs of these tasks are short."""
    short = said.pop("short", ["a", "b"])
    sizes = {"more": more, "per_slot": per_slot, "most": said.pop("most", 99)}
    said = {"short": short, **{name: [size] * len(short) for name, size in sizes.items()}, **said}
    return jobs.look(worker, ["a", "b", "free"], want, free=4, threads=4, **said)[1]


def active(jobs: Jobs) -> int:
    (row,) = jobs.rows("SELECT active FROM zeke_jobs.gate_use")
    return int(row["active"])


def test_short_jobs_are_claimed_ahead_of_their_full_limit_for_each_slot(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    ids = jobs.add("a", 20)
    worker = jobs.worker()
    rows = look(jobs, worker)
    assert {row["message_id"] for row in rows if not row["ahead"]} == set(ids[:3])
    assert {row["message_id"] for row in rows if row["ahead"]} == set(ids[3:8])
    assert {row["message_id"] for row in look(jobs, worker)} == set(ids[8:10])
    assert look(jobs, worker, more=0) == []
    assert active(jobs) == 3


def test_no_more_are_claimed_ahead_than_may_wait_at_most(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    worker = jobs.worker()
    assert [row["ahead"] for row in look(jobs, worker, more=0, per_slot=9, most=4)] == [False] * 3 + [True] * 4
    assert look(jobs, worker, more=-1, per_slot=9) == []


def test_none_are_claimed_ahead_while_others_may_have_what_is_left_of_the_limit(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    worker, _ = jobs.worker(), jobs.worker()
    sizes: dict[str, Any] = {"short": ["a"], "more": [5], "per_slot": [5], "most": [99]}
    assert jobs.look(worker, ["a"], 20, free=-9, threads=2, **sizes)[1] == []
    assert active(jobs) == 0


def test_a_look_rings_for_others_if_the_limit_of_what_ended_is_not_full_again(
    jobs: Jobs, heard: Callable[[], list[str]]
) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    worker, other = jobs.worker(), jobs.worker()
    first, second, *_ = look(jobs, worker)
    SQL.run(jobs.conn, "worker/waits", worker=other, queue="default", idle=False, limited=["a"])
    sizes: dict[str, Any] = {"more": [5], "per_slot": [0], "most": [99], "short": ["a"], "threads": 4}
    jobs.look(worker, ["a"], 20, [first], free=1, **sizes)
    assert heard() == []
    jobs.look(worker, ["a"], 20, [second], free=-9, **sizes)
    assert heard() == ["default"]


def test_none_are_claimed_ahead_of_a_limit_that_was_lowered_until_it_is_no_longer_over_full(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    worker = jobs.worker()
    first, second, *_ = look(jobs, worker, more=0, per_slot=0)
    jobs.use(LIMITED.replace("concurrency: 3", "concurrency: 1"))
    assert look(jobs, worker) == []
    jobs.complete(worker, [first])
    assert look(jobs, worker) == []
    jobs.complete(worker, [second])
    assert [row["ahead"] for row in look(jobs, worker)] == [True, True]


def test_what_was_claimed_ahead_takes_no_room_from_others(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 9)
    worker, other = jobs.worker(), jobs.worker()
    claimed = look(jobs, worker)
    assert jobs.claim(other, 9) == []
    jobs.complete(worker, [row for row in claimed if not row["ahead"]][:1])
    assert len(jobs.claim(other, 9)) == 1


@pytest.mark.parametrize(
    ("task", "top"),
    [
        ("a: {handler: 'H:echo', concurrency: {limit: 1, per_key: 1}}", ""),
        ("a: {handler: 'H:echo', concurrency: 1, rate: 100/m}", ""),
        ("a: {handler: 'H:echo', uses: [pool]}", "limits: {pool: {concurrency: 1}}"),
        ("a: {handler: 'H:echo', concurrency: 1, uses: [pool]}", "limits: {pool: {concurrency: 1}}"),
    ],
)
def test_none_are_claimed_ahead_where_more_than_the_tasks_own_limit_counts(jobs: Jobs, task: str, top: str) -> None:
    jobs.use(f"  {task}", top)
    jobs.add("a", 9)
    assert len(look(jobs, jobs.worker())) == 1


def test_none_are_claimed_ahead_of_a_task_whose_jobs_may_be_long(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 9)
    assert [row["ahead"] for row in look(jobs, jobs.worker(), short=["b"])] == [False] * 3


def test_what_has_room_comes_before_what_is_claimed_ahead(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    free = jobs.add("free", 5)
    rows = look(jobs, jobs.worker(), more=9, want=10, short=["a", "free"])
    assert {row["message_id"] for row in rows if row["task"] == "free"} == set(free)
    assert [row["ahead"] for row in rows if row["task"] == "a"].count(False) == 3
    assert len(rows) == 10


def test_the_higher_priority_is_claimed_ahead_first(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    worker = jobs.worker()
    jobs.add("a", 3)
    jobs.claim(worker, 3)
    jobs.add("a", 5)
    high = jobs.add("a", 2, options='{"priority": 1}')
    assert {row["message_id"] for row in look(jobs, worker, more=2)} == set(high)


def test_tasks_of_equal_priority_share_what_is_claimed_ahead(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1}\n  b: {handler: 'H:echo', concurrency: 1}")
    jobs.add("a", 20)
    jobs.add("b", 20)
    rows = look(jobs, jobs.worker(), more=20, want=10)
    assert sorted(row["task"] for row in rows) == ["a"] * 5 + ["b"] * 5


def test_a_slot_that_is_kept_counts_when_its_first_jobs_end_is_written(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 20)
    worker, other = jobs.worker(), jobs.worker()
    first, second, third, *_ = look(jobs, worker)
    # Two of the three were followed by others, which run now.
    jobs.look(worker, [], 1, [first, second, third], kept_of=["a"], kept=[2], said=1)
    assert active(jobs) == 2
    assert len(jobs.claim(other, 9)) == 1
    assert active(jobs) == 3
    jobs.look(worker, [], 1, kept_of=["a"], kept=[0], said=2)
    assert active(jobs) == 1


def test_a_word_that_comes_late_changes_nothing(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    worker = jobs.worker()
    for said, kept in ((2, 3), (1, 0)):
        SQL.all(jobs.conn, "limits/keep", worker=worker, kept_of=["a"], kept=[kept], said=said)
    assert active(jobs) == 3


def test_the_dead_keep_no_slots(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 9)
    worker = jobs.worker()
    look(jobs, worker)
    SQL.all(jobs.conn, "limits/keep", worker=worker, kept_of=["a"], kept=[2], said=1)
    assert active(jobs) == 5
    set_clock(jobs.conn, jobs.rows("SELECT zeke_jobs.now() + interval '21 seconds' AS it")[0]["it"])
    assert len(SQL.all(jobs.conn, "worker/rescue")) == 8
    known = jobs.rows("SELECT count(*) FROM zeke_jobs.queue AS q WHERE q.attempts -> 0 ? 'started_on'")
    assert known == [{"count": 3}], "whether those that waited had started is not known"
    assert active(jobs) == 0
    SQL.all(jobs.conn, "limits/keep", worker=worker, kept_of=["a"], kept=[2], said=2)
    assert active(jobs) == 0
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE ahead") == []


def test_a_job_that_was_claimed_ahead_waits_until_it_has_started(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 4)
    worker = jobs.worker()
    ahead = next(row for row in look(jobs, worker) if row["ahead"])

    def shown() -> Any:
        return jobs.rows("SELECT state FROM zeke_jobs.job WHERE id = %s", ahead["message_id"])[0]["state"]

    assert shown() == "created"
    assert jobs.rows("SELECT queued, active FROM zeke_jobs.task_depth WHERE task = 'a'")[0]["active"] == 3
    SQL.all(
        jobs.conn, "job/mark_started", worker=worker, ids=[ahead["message_id"]], claims=[ahead["claim"]], after=[0.0]
    )
    assert shown() == "active"
    jobs.complete(worker, [ahead])
    job = jobs.row(ahead["message_id"])
    assert job["claimed_on"] == job["started_on"]


def test_a_job_that_was_claimed_ahead_can_be_given_back_and_is_claimed_as_any_other(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    (one,) = jobs.add("a", 4)[3:]
    worker = jobs.worker()
    ahead = next(row for row in look(jobs, worker) if row["ahead"])
    assert ahead["message_id"] == one
    given = SQL.all(jobs.conn, "job/give_back", worker=worker, ids=[one], claims=[ahead["claim"]])
    assert [row["id"] for row in given] == [one]
    assert not jobs.row(one)["ahead"]
    assert [row["message_id"] for row in look(jobs, jobs.worker())] == [one]


def test_a_job_is_said_to_have_ended_when_it_did_and_not_when_that_was_written(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 2)
    worker = jobs.worker()
    done, failed = jobs.claim(worker, 2)
    set_clock(jobs.conn, jobs.row(done["message_id"])["claimed_on"])
    set_clock(jobs.conn, jobs.rows("SELECT zeke_jobs.now() + interval '5 seconds' AS it")[0]["it"])
    jobs.look(worker, [], 1, [done | {"took": 2.0}])
    jobs.finish(worker, failed, "failed", took=9.0)
    took = {
        row["state"]: row["took"]
        for row in jobs.rows(
            "SELECT state, extract(epoch FROM completed_on - claimed_on)::float AS took FROM zeke_jobs.queue"
        )
    }
    # By a clock that runs ahead it would not have ended yet.
    assert took == {"done": 2.0, "rejected": pytest.approx(5.0, abs=0.1)}
