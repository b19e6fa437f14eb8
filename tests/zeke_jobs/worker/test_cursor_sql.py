"""Claims begin at the first remaining job, instead of skipping claimed rows that are not vacuumed yet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from uuid import UUID

    from tests.zeke_jobs.worker.conftest import Jobs

TASKS = "  a: {handler: 'H:echo', concurrency: 50}\n  b: {handler: 'H:echo'}\n  k: {handler: 'H:echo', concurrency: {per_key: 1}}"


LATER = NOON + timedelta(seconds=1)  # what was sent at noon is committed by then


@pytest.fixture
def slow(jobs: Jobs) -> Jobs:
    """A session in which every search counts as slow; jobs are sent at noon."""
    jobs.use(TASKS)
    jobs.rows("SET zeke_jobs.slow_claim = '0 ms'")
    set_clock(jobs.conn, NOON)
    return jobs


def cursors(jobs: Jobs) -> str:
    return str(jobs.rows("SELECT current_setting('zeke_jobs.cursors', true) AS c")[0]["c"])


def give_back(jobs: Jobs, worker: UUID, claimed: list[dict[str, Any]]) -> set[UUID]:
    """Return jobs unstarted, to where they were before."""
    ids = [c["message_id"] for c in claimed]
    SQL.all(jobs.conn, "job/give_back", worker=worker, ids=ids, claims=[c["claim"] for c in claimed])
    return set(ids)


def returned_to_an_earlier_place(jobs: Jobs, worker: UUID) -> set[UUID]:
    """Two jobs of a hundred that come back when the search begins after them."""
    jobs.add("b", 100)
    set_clock(jobs.conn, LATER)
    first = jobs.claim(worker, 2)
    jobs.claim(worker, 2)
    return give_back(jobs, worker, first)


def found(jobs: Jobs, worker: UUID, count: int) -> set[UUID]:
    return {c["message_id"] for c in jobs.claim(worker, count)}


def test_a_quick_search_remembers_nothing(jobs: Jobs) -> None:
    jobs.use(TASKS)
    set_clock(jobs.conn, NOON)
    jobs.add("a", 3)
    jobs.claim(jobs.worker(), 1)
    assert cursors(jobs) in {"None", ""}


def test_all_jobs_are_claimed_once_and_in_order(slow: Jobs) -> None:
    low = slow.add("b", 30)
    high = slow.add("b", 30, options='{"priority": 5}')
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    claimed = [c["message_id"] for _ in range(12) for c in slow.claim(worker, 5)]
    assert claimed == high + low
    assert slow.claim(worker, 5) == []


def test_a_higher_priority_that_comes_later_still_goes_first(slow: Jobs) -> None:
    slow.add("b", 10)
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    slow.claim(worker, 2)
    late = slow.add("b", options='{"priority": 9}')
    assert [c["message_id"] for c in slow.claim(worker, 1)] == late


def test_jobs_below_a_delayed_one_of_a_higher_priority_are_claimed_in_order(slow: Jobs) -> None:
    low = slow.add("b", 6)
    slow.add("b", options='{"priority": 9, "delay": 3600}')
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    assert [c["message_id"] for _ in range(3) for c in slow.claim(worker, 2)] == low


def test_the_highest_and_the_lowest_priority_are_claimed(slow: Jobs) -> None:
    lowest = slow.add("b", 3, options='{"priority": -2147483648}')
    highest = slow.add("b", 3, options='{"priority": 2147483647}')
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    assert [c["message_id"] for _ in range(6) for c in slow.claim(worker, 1)] == highest + lowest


def test_what_comes_back_to_an_earlier_place_is_found_when_nothing_else_is_left(slow: Jobs) -> None:
    worker = slow.worker()
    back = returned_to_an_earlier_place(slow, worker)
    assert not found(slow, worker, 96) & back
    assert found(slow, worker, 2) == set()
    assert found(slow, worker, 2) == back


def test_what_comes_back_to_an_earlier_place_is_found_when_nothing_else_may_start(slow: Jobs) -> None:
    slow.use("  a: {handler: 'H:echo', concurrency: 1}\n  b: {handler: 'H:echo'}")
    slow.add("b", 4)
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    first = slow.claim(worker, 2)
    slow.claim(worker, 2)
    back = give_back(slow, worker, first)
    slow.add("a", 2)
    assert [c["task"] for c in slow.claim(worker, 2)] == ["a"]
    assert found(slow, worker, 2) == set()
    assert found(slow, worker, 2) == back


def test_what_comes_back_to_an_earlier_place_is_found_soon(slow: Jobs) -> None:
    worker = slow.worker()
    back = returned_to_an_earlier_place(slow, worker)
    set_clock(slow.conn, LATER + timedelta(milliseconds=49))
    assert not found(slow, worker, 2) & back
    set_clock(slow.conn, LATER + timedelta(milliseconds=51))
    assert found(slow, worker, 2) == back


def test_what_comes_back_is_found_at_once_when_the_clock_was_set_back(slow: Jobs) -> None:
    worker = slow.worker()
    set_clock(slow.conn, NOON - timedelta(hours=2))
    slow.add("b", 2)
    set_clock(slow.conn, NOON)
    back = returned_to_an_earlier_place(slow, worker)
    set_clock(slow.conn, NOON - timedelta(hours=1))
    assert found(slow, worker, 2) == back


def test_what_is_committed_within_a_tenth_of_a_second_is_found_at_once(slow: Jobs) -> None:
    worker = slow.worker()
    slow.add("b", 3)
    set_clock(slow.conn, NOON + timedelta(milliseconds=99))
    first = slow.claim(worker, 1)
    slow.claim(worker, 1)
    back = give_back(slow, worker, first)
    assert found(slow, worker, 1) == back


def test_a_task_of_which_nothing_is_left_is_not_searched_from_its_beginning(slow: Jobs) -> None:
    slow.add("a", 2)
    slow.add("b", 100)
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    first = [c for c in slow.claim(worker, 4) if c["task"] == "a"]
    slow.claim(worker, 2)
    slow.claim(worker, 2)
    back = give_back(slow, worker, first)
    assert len(back) == 2
    assert not found(slow, worker, 4) & back
    new = slow.add("a", 1)
    assert set(new) < found(slow, worker, 2)


def test_limits_and_keys_hold_as_ever(slow: Jobs) -> None:
    slow.add("a", 80)
    for key in ("x", "x", "y"):
        slow.add("k", options=f'{{"key": "{key}"}}')
    set_clock(slow.conn, LATER)
    worker = slow.worker()
    claimed = [c["task"] for _ in range(20) for c in slow.claim(worker, 7)]
    assert claimed.count("a") == 50
    assert claimed.count("k") == 2


def test_each_queue_has_a_cursor_of_its_own(slow: Jobs) -> None:
    slow.use(TASKS + "\n  c: {handler: 'H:echo', queue: other}")
    slow.add("b", 4)
    slow.add("c", 4)
    set_clock(slow.conn, LATER)
    worker = slow.worker(queues=("default", "other"))
    claimed = [
        c["task"] for _ in range(2) for queue in ("default", "other") for c in slow.claim(worker, 2, queue=queue)
    ]
    assert claimed == ["b", "b", "c", "c"] * 2
