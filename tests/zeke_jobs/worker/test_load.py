from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import a_claim
from zeke_jobs.worker.claim.capacity import Load

if TYPE_CHECKING:
    from zeke_jobs.worker.claim.claims import Claim


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def claim(task: str = "t") -> Claim:
    return a_claim(uuid4(), task=task, received=100.0)


def taken(load: Load, task: str = "t") -> Claim:
    one = claim(task)
    load.take(one)
    return one


def handed_back(load: Load, claims: list[Claim]) -> list[Claim]:
    before, is_long = load.too_late(claims)
    return load.late(claims, before) if is_long else []


def worked(load: Load, seconds: float, clock: Clock, task: str = "t") -> None:
    one = taken(load, task)
    assert load.start(one)
    clock.now += seconds
    load.done(one)


def test_an_unknown_load_claims_one_job_a_thread() -> None:
    load = Load(8)
    assert load.room() == 8
    for _ in range(3):
        taken(load)
    assert load.room() == 5


def test_long_jobs_are_never_claimed_ahead(clock: Clock) -> None:
    load = Load(8)
    worked(load, 1.0, clock)
    for _ in range(7):
        taken(load)
    assert load.room() == 1
    assert list(load.short()) == []


def test_short_jobs_are_claimed_ahead_by_what_starts_soon(clock: Clock) -> None:
    load = Load(8)
    worked(load, 2**-10, clock)
    assert load.room() == 8 + 245
    assert list(load.short()) == ["t"]


def test_one_long_job_ends_claiming_ahead_of_its_task_alone(clock: Clock) -> None:
    load = Load(8)
    for _ in range(2):
        worked(load, 2**-10, clock)
        worked(load, 2**-10, clock, "other")
    worked(load, 0.5, clock)
    assert list(load.short()) == ["other"]
    assert load.room() == 8 + 245


def test_threads_that_long_jobs_hold_are_not_counted_on(clock: Clock) -> None:
    load = Load(8)
    worked(load, 2**-10, clock)
    for _ in range(5):
        taken(load, "long")
    assert load.room() == 3 + 61  # two flow, and one may go to the next long job
    for _ in range(2):
        taken(load, "long")
    assert load.room() == 1


def test_a_job_given_back_unstarted_frees_its_place_and_teaches_nothing() -> None:
    load = Load(2)
    load.done(taken(load))
    assert load.room() == 2
    assert list(load.short()) == []


def test_what_waits_behind_a_long_job_is_handed_back_and_never_starts_here(clock: Clock) -> None:
    load = Load(1)
    running, waiting = taken(load), taken(load)
    assert load.start(running)
    clock.now += 0.09
    assert handed_back(load, [running, waiting]) == []
    clock.now += 0.02
    assert handed_back(load, [running, waiting]) == [waiting]
    assert not load.start(waiting)
    assert handed_back(load, [running, waiting]) == []
    assert load.free() == 0


def test_a_task_of_which_a_job_takes_long_just_now_is_not_claimed_ahead_again(clock: Clock) -> None:
    load = Load(4)
    worked(load, 2**-10, clock)
    worked(load, 2**-10, clock, "other")
    running = taken(load)
    assert load.start(running)
    clock.now += 0.2
    load.too_late([running])
    assert list(load.short()) == ["other"]
    assert load.room() == 3 + 61, "the thread that it holds does not come back soon"
    load.done(running)
    assert load.room() == 4 + 122


def test_what_waits_while_no_job_takes_long_stays(clock: Clock) -> None:
    load = Load(1)
    running, waiting = taken(load), taken(load)
    clock.now += 5.0
    assert load.start(running)
    assert handed_back(load, [running, waiting]) == []


def test_the_first_thread_of_a_full_process_that_comes_free_is_told() -> None:
    load = Load(2)
    first, second, ahead = taken(load), taken(load), taken(load)
    assert [load.done(one) for one in (ahead, first, second)] == [False, True, False]


def test_a_job_that_was_handed_back_is_not_counted_again_when_its_thread_reports_it() -> None:
    load = Load(2)
    running, waiting = taken(load), taken(load)
    assert load.start(running)
    assert load.late([waiting], before=200.0) == [waiting]
    assert not load.end(waiting), "its end was said when it was handed back"
    load.done(waiting)
    assert load.free() == 1


def test_a_thread_that_was_given_up_is_lost_until_it_comes_back_and_only_then_free() -> None:
    load = Load(2)
    stuck = taken(load)
    assert load.start(stuck)
    assert load.give_up(stuck)
    assert not load.give_up(stuck)
    assert not load.end(stuck), "its end was said when it was given up"
    assert (load.lost, load.free()) == (1, 1)
    load.done(stuck)
    assert (load.lost, load.free()) == (0, 2)


class Claims(RuleBasedStateMachine):
    """Whatever threads say of claims in whatever order: each one ends once, and its place is free once."""

    def __init__(self) -> None:
        super().__init__()
        self.load = Load(3)
        self.claims: list[Claim] = []
        self.places: set[Claim] = set()
        self.running: set[Claim] = set()
        self.lost: set[Claim] = set()
        self.ended: set[Claim] = set()

    @rule()
    def take(self) -> None:
        self.claims.append(taken(self.load))
        self.places.add(self.claims[-1])

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.claims))
        if one in self.running:
            return
        assert self.load.start(one) == (one not in self.ended)
        self.running |= {one} - self.ended

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["late", "drop"]))
    def hand_back(self, data: st.DataObject, how: str) -> None:
        one = data.draw(st.sampled_from(self.claims))
        waits = one not in self.running | self.ended
        if how == "late":
            assert self.load.late([one], before=200.0) == [one] * waits
        else:
            assert self.load.drop(one) == waits
        if waits:
            self.ended.add(one)
            self.places.discard(one)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.running, key=lambda claim: claim.order)))
        first = one not in self.ended
        assert self.load.give_up(one) == first
        if first:
            self.ended.add(one)
            self.lost.add(one)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def a_thread_reports(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.claims))
        assert self.load.end(one) == (one not in self.ended)
        self.load.done(one)
        self.ended.add(one)
        for kept in (self.places, self.running, self.lost):
            kept.discard(one)

    @invariant()
    def each_place_is_counted_once(self) -> None:
        assert self.load.free() == 3 - len(self.places)
        assert self.load.waiting() == len(self.places - self.running)
        assert self.load.lost == len(self.lost)


def test_each_claim_ends_once_and_its_place_is_free_once() -> None:
    run_state_machine_as_test(Claims, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
