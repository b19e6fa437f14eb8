"""One backtest: a recording run again unchanged, and under a proposal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from statistics import median

from psycopg2.extensions import connection as Connection

from zeke_jobs.backtest import history
from zeke_jobs.backtest.confidence import ENOUGH_JOBS, Confidence, Finding, judge
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.history import Recording
from zeke_jobs.backtest.load_file import LoadStanza
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.synthetic import synthesize
from zeke_jobs.backtest.variations import unknown_schedules, vary
from zeke_jobs.backtest.workload import Fleet, Workload
from zeke_jobs.config.models import Config
from zeke_jobs.postgres.queries import SQL

#: A job that waited no longer than this, in seconds, found a free worker.
_AT_ONCE = 0.05
_USUAL_WAKE_UP = 0.003
#: A plan must answer in a second or two, so only the newest jobs of a busy day are run again.
MOST_JOBS = 20_000


@dataclass(frozen=True)
class Backtest:
    """The answer. ``proposed`` is None if only the recording was run.

    Attributes:
        fleet_from: Source of the number of workers.
        confidence: How far the answer can be trusted.
        notes: Parts of the proposal that the recording cannot judge.
        today: The recording run again unchanged.
        proposed: The same under the proposal.
    """

    begin: datetime
    end: datetime
    jobs: int
    fleet_from: str
    confidence: Confidence
    notes: tuple[str, ...]
    today: Figures
    proposed: Figures | None


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
    stanza: LoadStanza,
    config: Config,
    proposal: Proposal | None,
    fleet: Fleet,
    begin: datetime,
    *,
    seed: int = 0,
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
    span, jobs, confidence = (
        (begin, begin + stanza.length),
        sum(1 for _ in workload.counted()),
        Confidence("fair", (found,)),
    )
    return Backtest(*span, jobs, "as given", confidence, _not_simulated(configs), today, proposed)


def _not_simulated(configs: Sequence[Config]) -> tuple[str, ...]:
    tasks = [task for config in configs for task in config.tasks.values()]
    keys = [key for key in ("share", "age", "chunk") if any(getattr(task, key) for task in tasks)]
    told = f"{', '.join(keys)} of tasks: not simulated; due jobs start by priority and age, each in a call of its own"
    return (told,) if keys else ()


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
