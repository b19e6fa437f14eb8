"""Threads, heartbeat, server and stop may end claims in any order: each ends once, and the count is never too low."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import a_claim
from zeke_jobs.worker.claim.claims import Stage
from zeke_jobs.worker.claim.held_jobs import End, HeldJobs

if TYPE_CHECKING:
    from zeke_jobs.worker.claim.claims import Claim
    from zeke_jobs.worker.claim.slots import KeptSlots

LIMIT, THREADS = 3, 2


class Clock:
    """Instead of the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def a_message(*, ahead: bool = False) -> Any:
    return SimpleNamespace(claim=a_claim(uuid4(), is_ahead=ahead, asked=100.0, received=100.0), queue_name="default")


class Holding(RuleBasedStateMachine):
    """One process, and a database that hears of its ends in other statements, in any order, and of some not at all."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.held = HeldJobs(THREADS)
        self.stages: dict[Claim, Stage] = {}
        self.rows: set[Claim] = set()  # that hold a slot by their row
        self.kept, self.report = 0, 0
        self.unwritten: list[Claim] = []
        self.under_way: list[tuple[KeptSlots, list[Claim]]] = []
        self.rescued: set[Claim] = set()

    def at(self, *stages: Stage) -> list[Claim]:
        return [claim for claim, stage in self.stages.items() if stage in stages]

    @property
    def counted(self) -> int:
        return len(self.rows) + self.kept

    @rule(ahead=st.integers(0, 4))
    def claim(self, ahead: int) -> None:
        for message in [a_message() for _ in range(LIMIT - self.counted)] + [
            a_message(ahead=True) for _ in range(ahead)
        ]:
            claim = message.claim
            claim.asked = claim.received = self.clock.now
            if not claim.is_ahead:
                self.rows.add(claim)
            accepted = self.held.accept(message)
            assert accepted.held is claim
            self.stages[claim] = Stage.WAITS_FOR_SLOT
            if accepted.starts is not None:
                self.stages[accepted.starts.claim] = Stage.WAITS_FOR_THREAD
        self.hand_back(self.held.without_slot())

    @precondition(lambda self: self.at(Stage.WAITS_FOR_THREAD, Stage.ENDED))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.WAITS_FOR_THREAD, Stage.ENDED)))
        waits = self.stages[claim] is Stage.WAITS_FOR_THREAD
        assert self.held.start(claim) == waits
        if waits:
            self.stages[claim] = Stage.RUNS

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), unstarted=st.booleans(), is_written=st.booleans(), hand_on=st.booleans())
    def end(self, data: st.DataObject, unstarted: bool, is_written: bool, hand_on: bool) -> None:
        """Its thread reports, it is cancelled, or handed back."""
        claim = data.draw(st.sampled_from(list(self.stages)))
        stage = self.stages[claim]
        is_written = is_written and stage is Stage.RUNS and not unstarted
        end = self.held.end(claim, unstarted=unstarted, is_written=is_written, hand_on=hand_on)
        has_started = stage in (Stage.RUNS, Stage.GIVEN_UP)
        ends = stage is not Stage.ENDED and not (unstarted and has_started)
        assert end.is_first == (ends and stage is not Stage.GIVEN_UP)
        if ends:
            self.stages[claim] = Stage.ENDED
        self.has_ended(claim, end, is_written=is_written, hand_on=hand_on)

    @precondition(lambda self: self.at(Stage.RUNS, Stage.WAITS_FOR_THREAD))
    @rule(data=st.data(), hand_on=st.booleans())
    def give_up(self, data: st.DataObject, hand_on: bool) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.RUNS, Stage.WAITS_FOR_THREAD)))
        end = self.held.give_up(claim, hand_on=hand_on)
        assert end.is_first == (self.stages[claim] is Stage.RUNS)
        if end.is_first:
            self.stages[claim] = Stage.GIVEN_UP
        self.has_ended(claim, end, is_written=False, hand_on=hand_on)

    def has_ended(self, claim: Claim, end: End, *, is_written: bool, hand_on: bool) -> None:
        if end.successor is not None:
            assert hand_on
            assert self.stages[end.successor.claim] is Stage.WAITS_FOR_SLOT
            self.stages[end.successor.claim] = Stage.WAITS_FOR_THREAD
        if end.is_first and is_written:
            self.rows.discard(claim)
            self.held.forget([claim])
        elif end.is_first and claim not in self.rescued:
            self.unwritten.append(claim)
        self.hand_back(self.held.without_slot())

    def hand_back(self, claims: list[Claim]) -> None:
        for claim in claims:
            assert self.stages[claim] is Stage.WAITS_FOR_SLOT
            self.stages[claim] = Stage.ENDED
            self.unwritten.append(claim)

    @rule()
    def those_that_wait_too_long_are_handed_back(self) -> None:
        self.hand_back(self.held.waiting_for_slot_since(self.clock.now - 0.1))

    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        claims = data.draw(st.lists(st.sampled_from(self.unwritten), unique=True)) if self.unwritten else []
        self.unwritten = [claim for claim in self.unwritten if claim not in claims]
        self.under_way.append((self.held.write(claims), claims))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), is_done=st.sampled_from([True, True, False]), is_heard=st.sampled_from([True, True, False]))
    def comes_through(self, data: st.DataObject, is_done: bool, is_heard: bool) -> None:
        kept, claims = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        if is_done:
            self.hear(kept)
            self.rows -= set(claims)
        if is_done and is_heard:
            for claim in claims:
                self.held.forget([claim])
        else:
            self.held.report_slots_again()
            self.unwritten += claims

    def hear(self, kept: KeptSlots) -> None:
        if kept.counts and kept.number > self.report:
            self.kept, self.report = kept.counts["t"], kept.number

    @rule()
    def time_passes(self) -> None:
        self.clock.now += 0.06

    @rule()
    def is_taken_for_dead(self) -> None:
        """Others have all its jobs and slots. Its word of them goes with its row in the database."""
        self.clock.now += 0.01
        self.rescued |= set(self.stages)
        self.hand_back(self.held.lose_slots())
        self.unwritten = []
        self.rows.clear()
        self.kept = self.report = 0
        self.clock.now += 0.01

    @invariant()
    def no_more_run_than_are_counted(self) -> None:
        ours = [claim for claim in self.at(Stage.WAITS_FOR_THREAD, Stage.RUNS) if claim not in self.rescued]
        assert len(ours) <= self.counted
        assert len(ours) <= LIMIT

    @invariant()
    def each_is_where_it_should_be_and_each_place_is_counted_once(self) -> None:
        assert {claim: claim.stage for claim in self.stages} == self.stages
        placed = len(self.at(Stage.WAITS_FOR_THREAD, Stage.RUNS, Stage.GIVEN_UP))
        assert self.held.free() == THREADS - placed
        assert self.held.waiting() == len(self.at(Stage.WAITS_FOR_THREAD))
        assert self.held.lost == len(self.at(Stage.GIVEN_UP))

    def teardown(self) -> None:
        """When all has ended and is written, nothing is kept and nothing is held."""
        while self.under_way:
            self.unwritten += self.under_way.pop()[1]
            self.held.report_slots_again()
        for claim in list(self.stages):
            end = self.held.end(claim, hand_on=False)
            assert end.successor is None
            if end.is_first and claim not in self.rescued:
                self.unwritten.append(claim)
        self.hear(self.held.write(self.unwritten))
        for claim in self.stages:
            self.held.forget([claim])
        assert self.kept == 0
        assert (len(self.held), self.held.free(), self.held.lost) == (0, THREADS, 0)
        assert self.held.ahead_limits({"t": 9}, may_wait=True)["more"] == [0]


def test_each_claim_ends_once_and_no_more_run_than_the_database_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for module in ("slots", "capacity"):
        monkeypatch.setattr(f"zeke_jobs.worker.claim.{module}.time", clock)
    run = settings(
        max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 100, stateful_step_count=40, deadline=None
    )
    run_state_machine_as_test(lambda: Holding(clock), settings=run)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at", "to"),
    [
        (Stage.CLAIMED, Stage.RUNS),
        (Stage.WAITS_FOR_SLOT, Stage.RUNS),
        (Stage.RUNS, Stage.WAITS_FOR_THREAD),
        (Stage.GIVEN_UP, Stage.RUNS),
        (Stage.ENDED, Stage.RUNS),
        (Stage.ENDED, Stage.ENDED),
    ],
)
def test_a_step_that_no_arrow_allows_raises(at: Stage, to: Stage) -> None:
    claim = a_claim(uuid4(), stage=at)
    with pytest.raises(RuntimeError, match=at.value):
        claim.move(to)
    assert claim.stage is at


def test_a_job_that_never_came_cannot_start() -> None:
    with pytest.raises(RuntimeError, match="expected a claim"):
        HeldJobs(1).start(a_claim(uuid4()))
