"""Slots handed on in one process: at any time, the database never counts fewer jobs than run."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.zeke_jobs.worker.conftest import NOON, a_claim
from zeke_jobs.worker.claim.slots import Slots

LIMIT = 3


class Clock:
    """Instead of the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("zeke_jobs.worker.claim.slots.time", clock)
    return clock


def slots_of(threads: int) -> Slots:
    """The slots of a process with so many threads."""
    return Slots(threads)


def message(**said: Any) -> Any:
    """A claimed job's message, as far as slots look at it."""
    return SimpleNamespace(claim=a_claim(uuid4(), **said), queue_name="default")


def test_a_job_that_ends_hands_its_slot_to_the_one_that_waits_longest() -> None:
    slots = slots_of(8)
    first, second, third = a_claim(uuid4()), message(), message()
    slots.take(first)
    assert [slots.wait(one) for one in (second, third)] == [None, None]
    assert [slots.end(claim) for claim in (first, second.claim, third.claim)] == [second, third, None]
    kept = slots.write([first])
    assert kept.columns() == {"kept_of": ["t"], "kept": [1], "said": 1}
    assert slots.write([second.claim]).counts == {}
    assert slots.write([third.claim]).counts == {"t": 0}


def test_one_that_is_claimed_after_a_job_has_ended_takes_its_slot_until_the_end_is_written() -> None:
    slots = slots_of(8)
    first, second, late, later = a_claim(uuid4()), a_claim(uuid4()), message(), message()
    slots.take(first)
    slots.take(second)
    assert (slots.end(first), slots.end(second)) == (None, None)
    waiting = slots.wait(late)
    assert waiting is late
    slots.write([first, second])
    assert slots.wait(later) is None
    assert slots.end(waiting.claim) is later


def test_a_slot_is_handed_on_for_a_short_while_after_a_claim(clock: Clock) -> None:
    slots = slots_of(8)
    first, second, third, fourth = a_claim(uuid4()), message(), message(), message()
    slots.take(first)
    slots.wait(second)
    slots.wait(third)
    clock.now += 0.09
    assert [slots.end(first)] == [second]
    slots.wait(fourth)
    clock.now += 0.09
    assert [slots.end(second.claim)] == [third]
    clock.now += 0.02
    assert slots.end(third.claim) is None
    assert slots.without_slot() == [fourth.claim]


def test_no_more_slots_are_handed_on_than_there_are_threads() -> None:
    slots = slots_of(1)
    first, second, third, fourth = a_claim(uuid4()), a_claim(uuid4()), message(), message()
    slots.take(first)
    slots.take(second)
    slots.wait(third)
    slots.wait(fourth)
    assert slots.ahead_limits({"t": 5})["more"] == [3]
    assert [slots.end(first)] == [None]
    assert [slots.end(second)] == [third]


def test_an_answer_that_comes_when_others_have_its_slots_brings_none(clock: Clock) -> None:
    slots = slots_of(8)
    before, after = a_claim(uuid4(), asked=clock.now), a_claim(uuid4(), asked=clock.now + 2)
    clock.now += 1
    slots.lose([])
    slots.take(before)
    assert before.slot is None
    slots.take(after)
    assert after.slot is not None


def test_a_job_hands_on_its_slot_once() -> None:
    slots = slots_of(8)
    first, second, third = a_claim(uuid4()), message(), message()
    slots.take(first)
    slots.wait(second)
    slots.wait(third)
    assert [slots.end(first), slots.end(first)] == [second, None]


def test_more_are_claimed_ahead_for_each_slot_that_is_held() -> None:
    slots = slots_of(8)

    def more(**short: int) -> dict[str, list[Any]]:
        return slots.ahead_limits(short)

    assert more(t=5, u=0) == {"short": ["t", "u"], "more": [0, 0], "per_slot": [5, 0], "most": [512, 512]}
    for _ in range(3):
        slots.take(a_claim(uuid4()))
    slots.wait(message())
    assert more(t=5, u=0) == {"short": ["t", "u"], "more": [14, 0], "per_slot": [5, 0], "most": [511, 512]}
    assert more(t=1_000)["more"] == [511]


def test_none_are_claimed_ahead_of_a_task_that_writes_its_ends_itself() -> None:
    slots = slots_of(8)
    claims = [a_claim(uuid4()) for _ in range(3)]
    for claim in claims:
        slots.take(claim)
    slots.end(claims[0], is_written=True)
    slots.end(claims[1])
    assert slots.ahead_limits({"t": 5}) == {"short": ["t"], "more": [0], "per_slot": [0], "most": [512]}


def test_those_for_whom_no_slot_is_left_are_let_go() -> None:
    slots = slots_of(8)
    first, second = a_claim(uuid4()), message()
    slots.take(first)
    slots.wait(second)
    assert slots.without_slot() == []
    assert slots.end(first, is_written=True) is None
    assert slots.without_slot() == [second.claim]
    assert second.claim.ended
    assert slots.without_slot() == []


def test_it_is_time_to_claim_more_once_half_of_those_that_waited_have_started() -> None:
    slots = slots_of(8)
    claim = a_claim(uuid4())
    slots.take(claim)
    for _ in range(4):
        slots.wait(message())
    low = []
    while (follows := slots.end(claim)) is not None:
        low.append(slots.is_low("t"))
        claim = follows.claim
    assert low == [False, True, False, False]


@pytest.mark.parametrize(
    ("later", "way", "gap"),
    [
        pytest.param(0.002, 0.001, 0.008, id="the answer to the first claim took longer"),
        pytest.param(0.02, 0.015, 2e-6, id="the answer to the second claim took longer"),
        pytest.param(9.0, 8.995, 2e-6, id="this process stood still before it read the answer"),
        pytest.param(9.0, 0.001, -8.99, id="the database's clock was set"),
    ],
)
def test_by_the_times_in_their_rows_one_job_starts_after_the_other_has_ended(
    later: float, way: float, gap: float
) -> None:
    """Each time is its claim's, by the database's clock, and what passed here since the answer came, which took some time."""
    slots = slots_of(8)
    first = a_claim(uuid4(), received=100.0, started=100.05)
    second = message(claimed_on=NOON + timedelta(seconds=0.01), received=100.0 + later, asked=100.0 + later - way)
    slots.take(first)
    slots.wait(second)
    slots.end(first)
    first.done = second.claim.started = 100.1
    ended = first.claimed_on + timedelta(seconds=first.took or 0)
    started = second.claim.claimed_on + timedelta(seconds=second.claim.after)
    assert (started - ended).total_seconds() == pytest.approx(gap, abs=1e-6)
    assert (started >= ended) == (gap > 0)
