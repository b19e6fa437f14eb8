"""Each claim ends once, and the count of free threads stays right, in whatever order claims end."""

import os
from uuid import uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.worker.conftest import a_claim
from zeke_jobs.worker.claim.claims import Claim, Stage
from zeke_jobs.worker.claim.held_jobs import HeldJobs

THREADS = 2


class Holding(RuleBasedStateMachine):
    """One process writes the ends of its claims in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.held = HeldJobs(THREADS)
        self.stages: dict[Claim, Stage] = {}
        self.unwritten: list[Claim] = []

    def at(self, *stages: Stage) -> list[Claim]:
        return [claim for claim, stage in self.stages.items() if stage in stages]

    @rule(count=st.integers(0, 3), deaths=st.sampled_from([0, 0, 2]))
    def claim(self, count: int, deaths: int) -> None:
        claims = [a_claim(uuid4(), deaths=deaths) for _ in range(count)]
        assert self.held.accept([(claim, True) for claim in claims]) == claims
        self.stages |= dict.fromkeys(claims, Stage.WAITS)

    @precondition(lambda self: self.at(Stage.WAITS, Stage.ENDED))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.WAITS, Stage.ENDED)))
        waits = self.stages[claim] is Stage.WAITS
        assert self.held.start(claim) == waits
        if waits:
            self.stages[claim] = Stage.RUNS

    @precondition(lambda self: self.stages)
    @rule(data=st.data(), unstarted=st.booleans())
    def end(self, data: st.DataObject, unstarted: bool) -> None:
        """End a claim: its thread reports, or the job is cancelled or handed back."""
        claim = data.draw(st.sampled_from(list(self.stages)))
        stage = self.stages[claim]
        ends = stage is not Stage.ENDED and not (unstarted and stage is not Stage.WAITS)
        is_first = self.held.end(claim, unstarted=unstarted)
        assert is_first == (ends and stage is not Stage.GIVEN_UP)
        if ends:
            self.stages[claim] = Stage.ENDED
        if is_first:
            self.unwritten.append(claim)

    @precondition(lambda self: self.at(Stage.RUNS, Stage.WAITS))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.at(Stage.RUNS, Stage.WAITS)))
        is_first = self.held.give_up(claim)
        assert is_first == (self.stages[claim] is Stage.RUNS)
        if is_first:
            self.stages[claim] = Stage.GIVEN_UP
            self.unwritten.append(claim)

    @precondition(lambda self: self.unwritten)
    @rule(data=st.data())
    def is_written(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.unwritten))
        self.unwritten.remove(claim)
        self.held.forget([claim])

    @invariant()
    def each_is_where_it_should_be_and_counted_once(self) -> None:
        assert {claim: claim.stage for claim in self.stages} == self.stages
        assert self.held.free() == THREADS - len(self.at(Stage.WAITS, Stage.RUNS, Stage.GIVEN_UP))
        assert self.held.waiting() == len(self.at(Stage.WAITS))
        assert self.held.lost == len(self.at(Stage.GIVEN_UP))
        assert set(self.held.all()) == {*self.at(Stage.WAITS, Stage.RUNS), *self.unwritten}

    @invariant()
    def beside_a_job_that_must_run_alone_none_is_wanted(self) -> None:
        if any(claim.deaths > 1 for claim in self.held.all()):
            assert self.held.want() == 0


def test_each_claim_ends_once_and_each_thread_is_counted_once() -> None:
    examples = 1000 if os.environ.get("ZEKE_TEST_DEEP") else 15
    run_state_machine_as_test(Holding, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None))


def test_a_job_with_a_limit_waits_for_a_thread_no_longer_than_a_look_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("zeke_jobs.worker.claim.held_jobs.time.monotonic", lambda: now[0])
    held, first = HeldJobs(THREADS), a_claim(uuid4())
    held.accept([(first, True)])
    held.start(first)
    assert held.room(0.01) == (1, 0), "nobody knows yet how long its jobs take"
    now[0] += 0.001
    held.end(first)
    held.accept([(a_claim(uuid4()), True)])
    assert [held.room(took) for took in (0.01, 0.001, 0.0)] == [(1, 20), (1, 2), (1, 0)]
    held.accept([(a_claim(uuid4(), task="unknown"), True)])
    assert held.room(0.01) == (0, 0)
