from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.zeke_jobs.worker.conftest import a_claim
from zeke_jobs.worker.claim.held_jobs import HeldJobs

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


def taken(load: HeldJobs, task: str = "t") -> Claim:
    one = claim(task)
    load.accept(SimpleNamespace(claim=one, queue_name="default"))  # type: ignore[arg-type]
    return one


def handed_back(load: HeldJobs) -> list[Claim]:
    return [claim for claim in load.behind_long_job()[0] if load.end(claim, unstarted=True).is_first]


def worked(load: HeldJobs, seconds: float, clock: Clock, task: str = "t") -> None:
    one = taken(load, task)
    assert load.start(one)
    clock.now += seconds
    load.end(one)


def test_an_unknown_load_claims_one_job_a_thread() -> None:
    load = HeldJobs(8)
    assert load.room() == 8
    for _ in range(3):
        taken(load)
    assert load.room() == 5


def test_long_jobs_are_never_claimed_ahead(clock: Clock) -> None:
    load = HeldJobs(8)
    worked(load, 1.0, clock)
    for _ in range(7):
        taken(load)
    assert load.room() == 1
    assert list(load.short_tasks()) == []


def test_short_jobs_are_claimed_ahead_by_what_starts_soon(clock: Clock) -> None:
    load = HeldJobs(8)
    worked(load, 2**-10, clock)
    assert load.room() == 8 + 245
    assert list(load.short_tasks()) == ["t"]


def test_one_long_job_ends_claiming_ahead_of_its_task_alone(clock: Clock) -> None:
    load = HeldJobs(8)
    for _ in range(2):
        worked(load, 2**-10, clock)
        worked(load, 2**-10, clock, "other")
    worked(load, 0.5, clock)
    assert list(load.short_tasks()) == ["other"]
    assert load.room() == 8 + 245


def test_threads_that_long_jobs_hold_are_not_counted_on(clock: Clock) -> None:
    load = HeldJobs(8)
    worked(load, 2**-10, clock)
    for _ in range(5):
        taken(load, "long")
    assert load.room() == 3 + 61  # two flow, and one may go to the next long job
    for _ in range(2):
        taken(load, "long")
    assert load.room() == 1


def test_a_job_given_back_unstarted_frees_its_place_and_teaches_nothing() -> None:
    load = HeldJobs(2)
    load.end(taken(load))
    assert load.room() == 2
    assert list(load.short_tasks()) == []


def test_what_waits_behind_a_long_job_is_handed_back_and_never_starts_here(clock: Clock) -> None:
    load = HeldJobs(1)
    running, waiting = taken(load), taken(load)
    assert load.start(running)
    clock.now += 0.09
    assert handed_back(load) == []
    clock.now += 0.02
    assert handed_back(load) == [waiting]
    assert not load.start(waiting)
    assert handed_back(load) == []
    assert load.free() == 0


def test_a_task_of_which_a_job_takes_long_just_now_is_not_claimed_ahead_again(clock: Clock) -> None:
    load = HeldJobs(4)
    worked(load, 2**-10, clock)
    worked(load, 2**-10, clock, "other")
    running = taken(load)
    assert load.start(running)
    clock.now += 0.2
    load.behind_long_job()
    assert list(load.short_tasks()) == ["other"]
    assert load.room() == 3 + 61, "the thread that it holds does not come back soon"
    load.end(running)
    assert load.room() == 4 + 122


def test_what_waits_while_no_job_takes_long_stays(clock: Clock) -> None:
    load = HeldJobs(1)
    running, _ = taken(load), taken(load)
    clock.now += 5.0
    assert load.start(running)
    assert handed_back(load) == []


def test_the_first_thread_of_a_full_process_that_comes_free_is_told() -> None:
    load = HeldJobs(2)
    first, second, ahead = taken(load), taken(load), taken(load)
    assert [load.end(one, hand_on=False).frees for one in (ahead, first, second)] == [False, True, False]


def test_a_job_that_was_handed_back_is_not_counted_again_when_its_thread_reports_it() -> None:
    load = HeldJobs(2)
    running, waiting = taken(load), taken(load)
    assert load.start(running)
    assert load.end(waiting, unstarted=True).is_first
    assert not load.end(waiting).is_first, "its end was said when it was handed back"
    assert load.free() == 1


def test_a_thread_that_was_given_up_is_lost_until_it_comes_back_and_only_then_free() -> None:
    load = HeldJobs(2)
    stuck = taken(load)
    assert load.start(stuck)
    assert load.give_up(stuck).is_first
    assert not load.give_up(stuck).is_first
    assert (load.lost, load.free()) == (1, 1)
    assert not load.end(stuck).is_first, "its end was said when it was given up"
    assert (load.lost, load.free()) == (0, 2)
