"""One backtest: a recording run again unchanged, and under a proposal; and how far it can be trusted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import median
from typing import Literal

from psycopg2.extensions import connection as Connection

from zeke_jobs.backtest import history
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.history import Recording
from zeke_jobs.backtest.load_file import LoadStanza, synthesize
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Fleet, Workload, unknown_schedules, vary
from zeke_jobs.config.models import Config
from zeke_jobs.postgres.queries import SQL

Level = Literal["high", "fair", "low"]

#: Fewer jobs than this say little about a 99th percentile.
ENOUGH_JOBS = 200
#: Fewer jobs than this prove nothing.
LEAST_JOBS = 20
_SHARE_TOLD, _SHARE_LOW = 0.001, 0.05
_MISFIT, _MISFIT_LOW = 0.15, 0.5
#: A thread is free a moment before its job's end is written, and jobs of milliseconds are claimed ahead.
_MORE_AT_ONCE = 1.5
_UNNOTICED = 0.05  # seconds; a difference in wait below this is not noticed


@dataclass(frozen=True)
class Finding:
    """Something that makes a backtest less certain. ``lowers`` is the best level that it leaves."""

    lowers: Level
    text: str


@dataclass(frozen=True)
class Confidence:
    """The level, and the findings that lowered it."""

    level: Level
    findings: tuple[Finding, ...]


def judge(recording: Recording, today: Figures, *, slots: int, at_once: int) -> Confidence:
    """How far a backtest can be trusted, by its first run on ``slots`` threads; ``at_once`` jobs ran at once in the recording."""
    findings = [*_of_recording(recording), *misfits(recording.workload, today)]
    if at_once > _MORE_AT_ONCE * slots:
        findings.append(
            Finding(
                "low",
                f"{at_once} jobs ran at once, more than the {slots} threads of the simulation: other workers ran then",
            )
        )
    findings.sort(key=lambda one: ("low", "fair", "high").index(one.lowers))
    return Confidence(findings[0].lowers if findings else "high", tuple(findings))


def _of_recording(recording: Recording) -> Iterator[Finding]:
    facts = recording.facts
    jobs = sum(1 for _ in recording.workload.counted())
    if jobs < ENOUGH_JOBS:
        yield Finding("low" if jobs < LEAST_JOBS else "fair", f"only {jobs} jobs were recorded; their tails are chance")
    if facts.first_job is not None and facts.first_job > recording.begin + timedelta(minutes=15):
        yield Finding(
            "fair", f"nothing is known of the time before {facts.first_job.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )
    for text, count in recording.oddities.items():
        if count:
            share = count / max(jobs, 1)
            lowers: Level = "low" if share > _SHARE_LOW else "fair" if share > _SHARE_TOLD else "high"
            yield Finding(lowers, f"{count} {text}")
    if facts.revisions:
        listed = ", ".join(map(str, facts.revisions))
        yield Finding(
            "fair", f"other configurations were in force for a part of the time (revisions put in force: {listed})"
        )
    for target in facts.pauses:
        yield Finding("fair", f"{target} is paused by hand now; the simulation does not pause it")


def misfits(workload: Workload, today: Figures) -> Iterator[Finding]:
    """Tasks whose simulated waits differ from the recorded ones."""
    recorded: dict[str, list[float]] = {}
    for job in workload.counted():
        if job.waited is not None:
            recorded.setdefault(job.task, []).append(job.waited)
    for name, waits in sorted(recorded.items()):
        figures = today.tasks.get(name)
        if figures is None or figures.wait_mean is None or len(waits) < LEAST_JOBS:
            continue
        was = sum(waits) / len(waits)
        off = abs(figures.wait_mean - was)
        if off > _UNNOTICED and off > _MISFIT * was:
            yield Finding(
                "low" if off > _MISFIT_LOW * max(was, _UNNOTICED) else "fair",
                f"{name} waited {was:.2f} s on average, and {figures.wait_mean:.2f} s in the simulation of its own recording",
            )


#: A job that waited no longer than this, in seconds, found a free worker.
_AT_ONCE = 0.05
_USUAL_WAKE_UP = 0.003
#: A plan must answer in a second or two, so only the newest jobs of a busy day are run again.
MOST_JOBS = 20_000


@dataclass(frozen=True)
class Backtest:
    """The answer. ``proposed`` is None if only the recording was run."""

    begin: datetime
    end: datetime
    jobs: int
    fleet_from: str  # source of the number of workers
    confidence: Confidence  # how far the answer can be trusted
    notes: tuple[str, ...]  # parts of the proposal that the recording cannot judge
    today: Figures  # the recording run again unchanged
    proposed: Figures | None  # the same under the proposal


@dataclass(frozen=True)
class Proposal:
    """A change to try: the configuration, the workers, the load. ``fleet`` None means today's workers."""

    config: Config
    fleet: Fleet | None = None
    load: float = 1.0


def backtest(recording: Recording, in_force: Config, proposal: Proposal | None, *, seed: int = 0) -> Backtest:
    """Run a recording unchanged and as proposed. The same arguments give the same answer."""
    workload = recording.workload
    fleet, fleet_from = fleet_of(recording)
    today = Simulation(workload, in_force, fleet, seed=seed).run()
    proposed, notes, configs = None, list[str](), [in_force]
    if proposal is not None:
        configs.append(proposal.config)
        varied = vary(workload, in_force, proposal.config, load=proposal.load, seed=seed)
        workers = replace(proposal.fleet or fleet, wake_up=fleet.wake_up)
        proposed = Simulation(varied, proposal.config, workers, seed=seed).run()
        notes += [
            f"{task} has a new schedule and no recorded job: how long its jobs take is not known"
            for task in unknown_schedules(workload, in_force, proposal.config)
        ]
        notes += [
            f"{count} jobs of {name} are left out: the proposal has no such task"
            for name, count in proposed.unserved.items()
            if in_force.task(name) is not None
        ]
    notes += _not_simulated(configs)
    confidence = judge(recording, today, slots=fleet.slots, at_once=most_at_once(workload))
    span, jobs = (recording.begin, recording.end), sum(1 for _ in workload.counted())
    return Backtest(*span, jobs, fleet_from, confidence, tuple(notes), today, proposed)


def of_newest(conn: Connection, before: Config, after: Config) -> Backtest | str:
    """A backtest of the last day's newest jobs, or the reason why there is none."""
    begin, end = history.period(conn)
    if newest := SQL.value(conn, "backtest/newest", end=end, jobs=MOST_JOBS):
        begin = max(begin, newest)
    recording = history.read(conn, before, begin, end)
    jobs = sum(1 for _ in recording.workload.counted())
    if jobs < ENOUGH_JOBS:
        return f"not enough history: {jobs} jobs in the last day, {ENOUGH_JOBS} are needed"
    return backtest(recording, before, Proposal(after))


def rehearsal(
    stanza: LoadStanza, config: Config, proposal: Proposal | None, fleet: Fleet, begin: datetime, *, seed: int = 0
) -> Backtest:
    """Run a described load under a configuration and under a proposal. The same arguments give the same answer."""
    fleet = replace(fleet, wake_up=_USUAL_WAKE_UP)
    workload = synthesize(stanza, config, begin, seed=seed)
    today = Simulation(workload, config, fleet, seed=seed).run()
    proposed, configs = None, [config]
    if proposal is not None:
        configs.append(proposal.config)
        varied = synthesize(stanza, proposal.config, begin, load=proposal.load, seed=seed)
        proposed = Simulation(varied, proposal.config, fleet, seed=seed).run()
    found = Finding("fair", "the load is described, not recorded: it is as good as its description")
    span, jobs = (begin, begin + stanza.length), sum(1 for _ in workload.counted())
    confidence = Confidence("fair", (found,))
    return Backtest(*span, jobs, "as given", confidence, _not_simulated(configs), today, proposed)


def _not_simulated(configs: Sequence[Config]) -> tuple[str, ...]:
    tasks = [task for config in configs for task in config.tasks.values()]
    keys = [key for key in ("share", "age", "chunk") if any(getattr(task, key) for task in tasks)]
    told = f"{', '.join(keys)} of tasks: not simulated; due jobs start by priority and age, each in a call of its own"
    has_breaker = any(limit.breaker for config in configs for limit in config.limits.values())
    breakers = "breakers of limits: not simulated; jobs that failed are retried as they were"
    return (*([told] if keys else ()), *([breakers] if has_breaker else ()))


def fleet_of(recording: Recording) -> tuple[Fleet, str]:
    """The workers of the recording, and the source of their number. They wake up as they did for jobs that hardly waited."""
    waits = (job.waited - job.start for job in recording.workload.jobs() if job.waited is not None)
    wake_up = median([wait for wait in waits if 0 <= wait < _AT_ONCE] or [_USUAL_WAKE_UP])
    facts = recording.facts
    if facts.threads:
        return Fleet(facts.processes, max(1, facts.threads // facts.processes), wake_up), "the workers that run now"
    peak = most_at_once(recording.workload)
    return Fleet(1, max(1, peak), wake_up), f"no worker runs now; {peak} jobs ran at once at most"


def most_at_once(workload: Workload) -> int:
    """The most jobs that were active at once, as recorded; only first attempts count."""
    marks = []
    for job in workload.jobs():
        if job.waited is not None:
            claimed = job.sent + job.delay + job.waited - job.start
            marks += [(claimed, 1), (claimed + job.attempts[0].held, -1)]
    return max(accumulate(change for _, change in sorted(marks)), default=0)
