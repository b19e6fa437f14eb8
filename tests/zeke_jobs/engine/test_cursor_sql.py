"""Claims that begin where the last one came to, which they do while an open transaction keeps what was claimed in the index."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.zeke_jobs.engine.conftest import NOON
from zeke_jobs.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from tests.zeke_jobs.engine.conftest import Jobs

TASKS = "  a: {handler: 'H:echo', concurrency: 50}\n  b: {handler: 'H:echo'}\n  k: {handler: 'H:echo', concurrency: {per_key: 1}}"


@pytest.fixture
def slow(jobs: Jobs) -> Jobs:
    """A session in which every claim counts as slow."""
    jobs.use(TASKS)
    jobs.rows("SET zeke_jobs.slow_claim = '0 ms'")
    set_clock(jobs.conn, NOON)
    return jobs


def cursors(jobs: Jobs) -> str:
    return str(jobs.rows("SELECT current_setting('zeke_jobs.cursors', true) AS c")[0]["c"])


def test_a_quick_claim_remembers_nothing(jobs: Jobs) -> None:
    jobs.use(TASKS)
    set_clock(jobs.conn, NOON)
    jobs.add("a", 3)
    jobs.claim(jobs.worker(), 1)
    assert cursors(jobs) in {"None", ""}


def test_all_jobs_are_claimed_once_and_in_order(slow: Jobs) -> None:
    low = slow.add("b", 30)
    high = slow.add("b", 30, options='{"priority": 5}')
    worker = slow.worker()
    claimed = [c["message_id"] for _ in range(12) for c in slow.claim(worker, 5)]
    assert claimed == high + low
    assert slow.claim(worker, 5) == []


def test_a_higher_priority_that_comes_later_still_goes_first(slow: Jobs) -> None:
    slow.add("b", 10)
    worker = slow.worker()
    slow.claim(worker, 2)
    late = slow.add("b", options='{"priority": 9}')
    assert [c["message_id"] for c in slow.claim(worker, 1)] == late


def test_what_comes_back_to_an_earlier_place_is_found_when_nothing_else_is_left(slow: Jobs) -> None:
    slow.add("b", 4)
    worker = slow.worker()
    first = slow.claim(worker, 2)
    claims = {"ids": [c["message_id"] for c in first], "claims": [c["claim"] for c in first]}
    SQL.all(slow.conn, "job_give_back", worker=worker, **claims)
    assert not {c["message_id"] for c in slow.claim(worker, 2)} & set(claims["ids"])
    assert slow.claim(worker, 2) == []
    assert {c["message_id"] for c in slow.claim(worker, 2)} == set(claims["ids"])


def test_what_comes_back_to_an_earlier_place_is_found_after_two_seconds(slow: Jobs) -> None:
    slow.add("b", 100)
    worker = slow.worker()
    first = slow.claim(worker, 2)
    claims = {"ids": [c["message_id"] for c in first], "claims": [c["claim"] for c in first]}
    SQL.all(slow.conn, "job_give_back", worker=worker, **claims)
    set_clock(slow.conn, NOON + timedelta(seconds=1.9))
    assert not {c["message_id"] for c in slow.claim(worker, 2)} & set(claims["ids"])
    set_clock(slow.conn, NOON + timedelta(seconds=2.1))
    assert {c["message_id"] for c in slow.claim(worker, 2)} == set(claims["ids"])


def test_limits_and_keys_hold_as_ever(slow: Jobs) -> None:
    slow.add("a", 80)
    for key in ("x", "x", "y"):
        slow.add("k", options=f'{{"key": "{key}"}}')
    worker = slow.worker()
    claimed = [c["task"] for _ in range(20) for c in slow.claim(worker, 7)]
    assert claimed.count("a") == 50
    assert claimed.count("k") == 2


def test_each_queue_has_a_cursor_of_its_own(slow: Jobs) -> None:
    slow.use(TASKS + "\n  c: {handler: 'H:echo', queue: other}")
    slow.add("b", 4)
    slow.add("c", 4)
    worker = slow.worker(queues=("default", "other"))
    claimed = [
        c["task"] for _ in range(2) for queue in ("default", "other") for c in slow.claim(worker, 2, queue=queue)
    ]
    assert claimed == ["b", "b", "c", "c"] * 2
