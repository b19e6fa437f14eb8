"""Slots that jobs hand on to others in one process: the database must never count fewer than run, whenever it hears of what."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import NOON, a_claim
from zeke_jobs.worker.claim.slots import Kept, Slots

if TYPE_CHECKING:
    from zeke_jobs.worker.claim.claims import Claim

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
    slots = Slots()
    slots.threads = threads
    return slots


def message(**said: Any) -> Any:
    """A claimed job's message, as far as slots look at it."""
    return SimpleNamespace(claim=a_claim(uuid4(), **said), queue_name="default")


class Handover(RuleBasedStateMachine):
    """One process, and a database that hears of its ends in other statements, in any order, and of some not at all."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.slots = slots_of(2)
        self.rows: set[Claim] = set()  # that hold a slot by their row
        self.kept, self.said = 0, 0
        self.running: list[Claim] = []
        self.ended: list[Claim] = []
        self.under_way: list[tuple[Kept, list[Claim]]] = []
        self.lost: list[Claim] = []

    @property
    def counted(self) -> int:
        return len(self.rows) + self.kept

    @rule(ahead=st.integers(0, 4))
    def claim(self, ahead: int) -> None:
        for _ in range(LIMIT - self.counted):
            claim = a_claim(uuid4())
            self.rows.add(claim)
            self.slots.take(claim)
            self.running.append(claim)
        for _ in range(ahead):
            starts = self.slots.wait(message())
            if starts is not None:
                self.running.append(starts.claim)
        self.slots.stranded()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), is_written=st.booleans(), gives=st.booleans())
    def end(self, data: st.DataObject, is_written: bool, gives: bool) -> None:
        claim = data.draw(st.sampled_from(self.running))
        self.running.remove(claim)
        if is_written:
            self.rows.discard(claim)
        else:
            self.ended.append(claim)
        follows = self.slots.end(claim, is_written=is_written, gives=gives)
        if follows is not None:
            assert gives
            self.running.append(follows.claim)
        self.slots.stranded()

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        claims = data.draw(st.lists(st.sampled_from(self.ended), unique=True)) if self.ended else []
        self.ended = [claim for claim in self.ended if claim not in claims]
        self.under_way.append((self.slots.write(claims), claims))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), is_done=st.sampled_from([True, True, False]), is_heard=st.sampled_from([True, True, False]))
    def comes_through(self, data: st.DataObject, is_done: bool, is_heard: bool) -> None:
        kept, claims = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if is_done:
            self.hear(kept)
            self.rows -= set(claims)
        if not (is_done and is_heard):
            self.slots.doubt()
            self.ended += claims

    def hear(self, kept: Kept) -> None:
        if kept.counts and kept.said > self.said:
            self.kept, self.said = kept.counts["t"], kept.said

    @rule()
    def doubt(self) -> None:
        self.slots.doubt()

    @rule()
    def time_passes(self) -> None:
        self.clock.now += 0.06

    @rule()
    def is_taken_for_dead(self) -> None:
        """Others have all its slots. Its word of them goes with its row in the database."""
        self.lost += self.running
        self.slots.lose([*self.running, *self.ended])
        self.running, self.ended = [], []
        self.rows.clear()
        self.kept = self.said = 0

    @precondition(lambda self: self.lost)
    @rule()
    def what_was_lost_ends(self) -> None:
        assert self.slots.end(self.lost.pop()) is None

    @invariant()
    def no_more_run_than_are_counted(self) -> None:
        assert len(self.running) <= self.counted
        assert len(self.running) <= LIMIT

    def teardown(self) -> None:
        """When all has ended and is written, nothing is kept."""
        while self.under_way:
            _, claims = self.under_way.pop()
            self.slots.doubt()
            self.ended += claims
        while self.running:
            claim = self.running.pop()
            assert self.slots.end(claim, gives=False) is None
            self.ended.append(claim)
        self.hear(self.slots.write(self.ended))
        assert self.kept == 0
        self.slots.stranded()
        assert self.slots.more({"t": 9})["more"] == [0]


def test_no_more_jobs_run_than_the_database_counts_whatever_it_hears_of_when(clock: Clock) -> None:
    run = settings(max_examples=200, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(lambda: Handover(clock), settings=run)  # type: ignore[arg-type]


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
    assert slots.stranded() == [fourth.claim]


def test_no_more_slots_are_handed_on_than_there_are_threads() -> None:
    slots = slots_of(1)
    first, second, third, fourth = a_claim(uuid4()), a_claim(uuid4()), message(), message()
    slots.take(first)
    slots.take(second)
    slots.wait(third)
    slots.wait(fourth)
    assert slots.more({"t": 5})["more"] == [3]
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
        return slots.more(short)

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
    assert slots.more({"t": 5}) == {"short": ["t"], "more": [0], "per_slot": [0], "most": [512]}


def test_those_for_whom_no_slot_is_left_are_let_go() -> None:
    slots = slots_of(8)
    first, second = a_claim(uuid4()), message()
    slots.take(first)
    slots.wait(second)
    assert slots.stranded() == []
    assert slots.end(first, is_written=True) is None
    assert slots.stranded() == [second.claim]
    assert second.claim.ended
    assert slots.stranded() == []


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
