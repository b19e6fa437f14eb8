"""Simulates recorded jobs under the current and a proposed configuration, and judges how reliable the result is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import fmean, median
from typing import Literal

from psycopg2.extensions import connection as Connection

from zeke_jobs.backtest import history
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Fleet, Workload, vary
from zeke_jobs.config.models import Config
from zeke_jobs.postgres.queries import SQL

Level = Literal["high", "fair", "low"]

ENOUGH_JOBS = 200  # with fewer jobs, a 99th percentile is not reliable
LEAST_JOBS = 20  # with fewer jobs, no result is reliable
MOST_JOBS = 20_000  # only the newest jobs are simulated, because a plan must answer in a second or two
_SHARE_TOLD, _SHARE_LOW = 0.001, 0.05
_MISFIT, _MISFIT_LOW = 0.15, 0.5
#: More jobs than threads may seem active: a thread is free before its job's end is written, and short jobs are claimed early.
_MORE_AT_ONCE = 1.5
_UNNOTICED = 0.05  # seconds; a difference in wait below this is not noticed
_AT_ONCE = 0.05  # seconds; a job that waited at most this long found a free worker
_USUAL_WAKE_UP = 0.003


@dataclass(frozen=True)
class Finding:
    """Describes a fact that makes a backtest less certain. ``lowers`` is the highest level of confidence that the fact allows."""

    lowers: Level
    text: str


@dataclass(frozen=True)
class Confidence:
    """Holds the level of confidence, and the findings that lowered it."""

    level: Level
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Backtest:
    """Holds the result of a backtest. ``proposed`` is None if no proposed configuration was simulated."""

    begin: datetime
    end: datetime
    jobs: int
    fleet_from: str  # source of the number of workers
    confidence: Confidence  # how far the result can be trusted
    notes: tuple[str, ...]  # parts of the proposal that the recording cannot judge
    today: Figures  # figures of the recording, run unchanged
    proposed: Figures | None  # figures of the recording, run under the proposal


def backtest(
    workload: Workload,
    in_force: Config,
    proposed: Config | None = None,
    *,
    workers: Fleet | None = None,
    load: float = 1.0,
    seed: int = 0,
) -> Backtest:
    """Simulate a workload under ``in_force`` and, if given, under ``proposed`` with ``workers`` and ``load``."""
    fleet, fleet_from = fleet_of(workload)
    today = Simulation(workload, in_force, fleet, seed=seed).run()
    answer, notes, configs = None, list[str](), [in_force]
    if proposed is not None:
        configs.append(proposed)
        varied, unknown = vary(workload, in_force, proposed, load=load, seed=seed)
        answer = Simulation(varied, proposed, replace(workers or fleet, wake_up=fleet.wake_up), seed=seed).run()
        for task in unknown:
            notes.append(f"{task} has a new schedule and no recorded job: how long its jobs take is not known")
        for name, count in answer.unserved.items():
            if in_force.task(name) is not None:
                notes.append(f"{count} jobs of {name} are left out: the proposal has no such task")
    tasks = [task for config in configs for task in config.tasks.values()]
    if keys := ", ".join(key for key in ("share", "age", "chunk") if any(getattr(task, key) for task in tasks)):
        told = "not simulated; due jobs start by priority and age, each in a call of its own"
        notes.append(f"{keys} of tasks: {told}")
    if any(limit.breaker for config in configs for limit in config.limits.values()):
        notes.append("breakers of limits: not simulated; jobs that failed are retried as they were")
    findings = sorted(_findings(workload, today, fleet), key=lambda one: ("low", "fair", "high").index(one.lowers))
    confidence = Confidence(findings[0].lowers if findings else "high", tuple(findings))
    jobs = len(workload.counted())
    return Backtest(*workload.period, jobs, fleet_from, confidence, tuple(notes), today, answer)


def of_newest(conn: Connection, before: Config, after: Config) -> Backtest | str:
    """Return a backtest with the newest jobs of the last day, or the reason why a backtest is impossible."""
    begin, end = history.period(conn)
    if newest := SQL.value(conn, "backtest/newest", end=end, jobs=MOST_JOBS):
        begin = max(begin, newest)
    workload = history.read(conn, before, begin, end)
    jobs = len(workload.counted())
    if jobs < ENOUGH_JOBS:
        return f"not enough history: {jobs} jobs in the last day, {ENOUGH_JOBS} are needed"
    return backtest(workload, before, after)


def fleet_of(workload: Workload) -> tuple[Fleet, str]:
    """Return the workers to simulate, and where their number is from. ``wake_up``: the median of waits below 0.05 s."""
    waits = (job.waited - job.start for job in workload.jobs() if job.waited is not None)
    wake_up = median([wait for wait in waits if 0 <= wait < _AT_ONCE] or [_USUAL_WAKE_UP])
    facts = workload.facts
    if isinstance(facts, Fleet):
        return replace(facts, wake_up=wake_up), "as given"
    if facts.threads:
        return Fleet(facts.processes, max(1, facts.threads // facts.processes), wake_up), "the workers that run now"
    peak = _most_at_once(workload)
    return Fleet(1, max(1, peak), wake_up), f"no worker runs now; {peak} jobs ran at once at most"


def _most_at_once(workload: Workload) -> int:
    """Return the maximum number of jobs that were active together in the recording. Only first attempts count."""
    marks = []
    for job in workload.jobs():
        if job.waited is not None:
            claimed = job.sent + job.delay + job.waited - job.start
            marks += [(claimed, 1), (claimed + job.attempts[0].held, -1)]
    return max(accumulate(change for _, change in sorted(marks)), default=0)


def _findings(workload: Workload, today: Figures, fleet: Fleet) -> Iterator[Finding]:
    """Yield the facts that make a backtest less certain. ``today`` has the figures under the current configuration."""
    facts = workload.facts
    if isinstance(facts, Fleet):
        yield Finding("fair", "the load is described, not recorded: it is as good as its description")
        return
    jobs = len(workload.counted())
    if jobs < ENOUGH_JOBS:
        yield Finding("low" if jobs < LEAST_JOBS else "fair", f"only {jobs} jobs were recorded; their tails are chance")
    if facts.first_job is not None and facts.first_job > workload.period[0] + timedelta(minutes=15):
        before = f"{facts.first_job.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        yield Finding("fair", f"nothing is known of the time before {before}")
    for text, count in workload.oddities.items():
        share = count / max(jobs, 1)
        if count:
            lowers: Level = "low" if share > _SHARE_LOW else "fair" if share > _SHARE_TOLD else "high"
            yield Finding(lowers, f"{count} {text}")
    if facts.revisions:
        others = f"(revisions put in force: {', '.join(map(str, facts.revisions))})"
        yield Finding("fair", f"other configurations were in force for a part of the time {others}")
    for target in facts.pauses:
        yield Finding("fair", f"{target} is paused by hand now; the simulation does not pause it")
    if (peak := _most_at_once(workload)) > _MORE_AT_ONCE * fleet.slots:
        threads = f"the {fleet.slots} threads of the simulation"
        yield Finding("low", f"{peak} jobs ran at once, more than {threads}: other workers ran then")
    yield from _misfits(workload, today)


def _misfits(workload: Workload, today: Figures) -> Iterator[Finding]:
    """Yield a finding for each task whose simulated waits differ from its recorded waits."""
    recorded: dict[str, list[float]] = {}
    for job in workload.counted():
        if job.waited is not None:
            recorded.setdefault(job.task, []).append(job.waited)
    for name, waits in sorted(recorded.items()):
        mean = today.tasks[name].wait_mean if name in today.tasks else None
        if mean is None or len(waits) < LEAST_JOBS:
            continue
        was = fmean(waits)
        if abs(mean - was) > max(_UNNOTICED, _MISFIT * was):
            lowers: Level = "low" if abs(mean - was) > _MISFIT_LOW * max(was, _UNNOTICED) else "fair"
            simulated = f"{mean:.2f} s in the simulation of its own recording"
            yield Finding(lowers, f"{name} waited {was:.2f} s on average, and {simulated}")
