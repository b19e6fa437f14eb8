from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.zeke_jobs.backtest.conftest import echoes
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.comparing import Confidence, backtest, fleet_of
from zeke_jobs.backtest.history import BACKWARDS, ORPHANS, UNFINISHED
from zeke_jobs.backtest.load_file import load_text, synthesize
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIG = load(echoes(a="concurrency: 1"))


def recording(*, waited: float = 0.003, jobs: int = 300, odd: dict[str, int] | None = None, **facts: Any) -> Workload:
    """Record a job every twelve seconds for an hour; each job takes two seconds."""
    made = Workload(origin=NOON.timestamp(), end=3600, oddities=Counter(odd))
    for number in range(jobs):
        made.roots.append(Job("a", 12.0 * number, (Attempt(2),), waited=waited))
    known = {"first_job": NOON, "revisions": (), "threads": 8, "processes": 1, "pauses": (), "now": NOON + HOUR}
    made.facts = SimpleNamespace(**(known | facts))
    return made


@pytest.mark.parametrize(
    ("odd", "level", "said"),
    [
        ({"jobs": 100}, "fair", "only 100 jobs were recorded"),
        ({"jobs": 10}, "low", "only 10 jobs were recorded"),
        ({"odd": {ORPHANS: 30}}, "low", "30 jobs name a sender that is gone"),
        ({"odd": {BACKWARDS: 2}}, "fair", "2 jobs have times that run backwards"),
        ({"odd": {UNFINISHED: 2}}, "fair", "2 jobs have not ended"),
        ({"revisions": (4, 5)}, "fair", "revisions put in force: 4, 5"),
        ({"first_job": NOON + HOUR / 2}, "fair", "nothing is known of the time before 2026-03-10 12:30"),
        ({"pauses": ("task/a",)}, "fair", "task/a is paused by hand now"),
        ({"waited": 30.0}, "low", "a waited 30.00 s on average, and 0.00 s in the simulation of its own recording"),
    ],
)
def test_what_is_odd_is_told_and_lowers_the_confidence(odd: dict[str, Any], level: str, said: str) -> None:
    confidence = backtest(recording(**odd), CONFIG, None).confidence
    (finding,) = confidence.findings[: 1 if "waited" in odd else None]
    assert (confidence.level, said in finding.text) == (level, True)


def test_a_whole_history_that_runs_again_as_it_ran_is_trusted_and_too_many_at_once_are_told() -> None:
    assert backtest(recording(), CONFIG, None).confidence == Confidence("high", ())
    crowded = recording()
    for number, job in enumerate(crowded.roots):
        job.sent = 600.0 * (number // 50)
    said = "50 jobs ran at once, more than the 8 threads of the simulation: other workers ran then"
    assert said in [one.text for one in backtest(crowded, CONFIG, None).confidence.findings]


def test_the_workers_are_those_of_now_or_as_many_threads_as_ran_jobs_at_once() -> None:
    assert fleet_of(recording())[0] == Fleet(1, 8, wake_up=0.003)
    nobody = recording(threads=0, processes=0)
    nobody.roots[1].sent = 1.0
    fleet, how = fleet_of(nobody)
    assert (fleet.slots, how) == (2, "no worker runs now; 2 jobs ran at once at most")
    found = recording(waited=0.004)
    for job in found.roots[::2]:
        job.waited = 5.0
    assert fleet_of(found)[0].wake_up == 0.004, "as long as jobs waited that found a free worker"


def test_shares_ages_chunks_and_breakers_are_named_as_not_simulated() -> None:
    assert backtest(recording(), CONFIG, None).notes == ()
    shared = load(echoes(a="share: key", b="age: 10m") + "  c: {handler: 'H:echo_all', chunk: 5}")
    told = "share, age, chunk of tasks: not simulated; due jobs start by priority and age, each in a call of its own"
    assert backtest(recording(), CONFIG, shared).notes[-1] == told
    limited = load(echoes(fine="uses: [far]"), "limits: {far: {breaker: {failures: 2}}}\n")
    (note,) = backtest(recording(), limited, None).notes
    assert note.startswith("breakers of limits: not simulated")


def test_a_load_that_is_described_is_as_good_as_its_description_and_has_the_workers_that_are_given() -> None:
    described = load_text("version: 1\nlength: 1h\ntasks: {a: {rate: 60/h, takes: 1s}}\n", "load.yaml", CONFIG)
    answer = backtest(synthesize(described, CONFIG, NOON, Fleet(2, 3)), CONFIG, CONFIG, load=3.0)
    (finding,) = answer.confidence.findings
    assert (answer.confidence.level, "described, not recorded" in finding.text) == ("fair", True)
    assert (answer.today.workers, answer.fleet_from, answer.end) == ("2x3", "as given", NOON + HOUR)
    assert answer.today.tasks["a"].wait_p50 == pytest.approx(0.003)
    assert answer.proposed is not None
    assert answer.proposed.tasks["a"].jobs == 3 * answer.jobs
