"""Describes the jobs of a simulation, which are recorded or come from a load file, and makes variations of them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from zeke_jobs.config.limits import Schedule
from zeke_jobs.config.models import Config, Task
from zeke_jobs.cron.calendar import parse
from zeke_jobs.postgres.queries import Row

Ending = Literal["completed", "failed", "rejected", "cancelled", "retry", "deferred", "died"]


class Attempt(NamedTuple):
    """Describes one attempt of a job."""

    held: float  # seconds from claim to end, in which the attempt occupies a thread and limits
    how: Ending = "completed"  # failed: the retries were used up; rejected: no number of retries would help
    gap: float | None = None  # seconds until the job was due again; None if the retry policy chose the delay
    own: bool = False  # whether the handler set its own retry limit, which replaces the policy's limit

    @property
    def costs(self) -> bool:
        """Return whether the attempt has a share of the job's cost: it was not deferred, and its worker did not die."""
        return self.how not in ("deferred", "died")


class FollowUp(NamedTuple):
    """Describes a job that another job sends in an attempt (0 is the first), ``after`` seconds after the claim."""

    attempt: int
    after: float
    job: Job


@dataclass(slots=True, eq=False)
class Job:
    """Describes one job. Times are seconds from the workload's origin."""

    task: str
    sent: float  # when the job is sent; for follow-ups, the recorded time
    attempts: tuple[Attempt, ...]
    priority: int | None = None  # the job's own priority; None means the task's priority
    key: int | str | None = None
    delay: float = 0.0  # seconds from ``sent`` to the due time
    leaves: float | None = None  # seconds from ``sent`` until the job leaves the queue unstarted; None for never
    start: float = 0.0  # seconds from a claim to the start of the handler
    cost: float | None = None
    waited: float | None = None  # recorded seconds from the due time to the first start; None if unknown
    tick: bool = False  # whether a schedule sends the job
    sends: list[FollowUp] = field(default_factory=list)

    def send(self, job: Job, *, attempt: int = 0, after: float = 0.0) -> None:
        """Record that this job sends ``job``."""
        self.sends.append(FollowUp(attempt, after, job))

    def cost_of(self, attempt: Attempt) -> float | None:
        """Return the attempt's share of the job's cost, or None. All attempts that have a share have equal shares."""
        if self.cost is None or not attempt.costs:
            return None
        return self.cost / sum(one.costs for one in self.attempts)


@dataclass(frozen=True)
class Fleet:
    """Describes worker processes with their threads."""

    processes: int = 1
    threads: int = 8
    wake_up: float = 0.0  # seconds in which an idle worker claims, after a job became due or ended, or a limit opened

    @property
    def slots(self) -> int:
        """Return the number of jobs that can run at once."""
        return self.processes * self.threads

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"


@dataclass
class Workload:
    """Holds the jobs of a period. Times are seconds from its start. Earlier jobs run, but are not counted."""

    origin: float = 0.0  # the start of the period as Unix time
    end: float = 0.0  # the last moment at which a job is sent
    currency: str | None = None  # the currency of costs; None if no cost is known
    roots: list[Job] = field(default_factory=list)  # jobs that no other job sends, by the time of sending
    oddities: Counter[str] = field(default_factory=Counter)  # contradictions and gaps, each with its count
    facts: Row | Fleet = Fleet()  # a row of ``backtest/facts``; for a described load, its workers

    @property
    def period(self) -> tuple[datetime, datetime]:
        """Return the start and end of the period."""
        return datetime.fromtimestamp(self.origin, UTC), datetime.fromtimestamp(self.origin + self.end, UTC)

    def jobs(self) -> Iterator[Job]:
        """Yield all jobs, including jobs that other jobs send."""
        todo = self.roots[::-1]
        while todo:
            job = todo.pop()
            yield job
            todo += [one.job for one in job.sends]

    def counted(self) -> list[Job]:
        """Return the jobs that the report counts: the jobs that were sent within the period."""
        return [job for job in self.jobs() if job.sent >= 0]


def vary(
    workload: Workload, before: Config, after: Config, *, load: float = 1.0, seed: int = 0
) -> tuple[Workload, list[str]]:
    """Copy a workload, with the schedules of ``after`` instead of ``before``, and ``load`` times as many other jobs.

    Each tick of a changed schedule sends a copy of a recorded job. Also returns the tasks that have no job to copy.
    """
    chance = Random(seed)  # noqa: S311 (chance, no secrets)
    changed = {one.id: _active(one) for one in after.tasks.values() if _timing(one) != _timing(before.task(one.id))}
    ticks, others = defaultdict[str, list[Job]](list), defaultdict[str, list[Job]](list)
    for job in workload.jobs() if changed else ():
        if task := after.task(job.task):
            (ticks if job.tick else others)[task.id].append(job)
    gone = {id(job) for name in changed for job in ticks[name]}
    roots = [job for job in workload.roots if id(job) not in gone]
    unknown = []
    for name, schedules in changed.items():
        like = ticks[name] or others[name]
        unknown += [name] if schedules and not like else []
        for cron in schedules if like else ():
            for tick in ticks_of(cron, workload):
                job = _copy(chance.choice(like), tick)
                job.tick, job.leaves, job.delay = True, None, chance.random() * cron.jitter.total_seconds()
                roots.append(job)
    roots.sort(key=lambda job: job.sent)
    if load != 1.0:
        roots = sorted(_multiplied(roots, workload.end, load, chance), key=lambda job: job.sent)
    return replace(workload, roots=roots), unknown


def _copy(job: Job, sent: float, number: int = 0) -> Job:
    """Copy a job and the jobs that it sends. With ``number``, the keys are new, because a higher load has more keys."""

    def one(of: Job) -> Job:
        key = of.key if of.key is None or not number else f"{of.key} #{number + 1}"
        return replace(of, sent=of.sent + sent - job.sent, waited=None, key=key)

    copies = [one(job)]  # no recursion, because a chain of jobs may be long
    for made in copies:
        made.sends = [sends._replace(job=one(sends.job)) for sends in made.sends]
        copies += [sends.job for sends in made.sends]
    return copies[0]


def _active(task: Task | None) -> list[Schedule]:
    return [cron for cron in task.schedules.values() if not cron.paused] if task else []


def _timing(task: Task | None) -> set[tuple[str, str]]:
    return {(cron.at, cron.timezone) for cron in _active(task)}


def ticks_of(cron: Schedule, workload: Workload) -> list[float]:
    """Return the ticks of a schedule within the workload's period."""
    ticks = parse(cron.at).between(*workload.period, ZoneInfo(cron.timezone))
    return [tick.timestamp() - workload.origin for tick in ticks]


def _multiplied(roots: list[Job], end: float, load: float, chance: Random) -> list[Job]:
    """Make ``load`` times as many root jobs. A schedule's jobs are not multiplied, but the jobs that they send are."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for job in roots:
        times[job.task].append(job.sent)
    made = []
    for job in roots:
        if job.tick:
            many = [(one, number) for one in job.sends for number in range(whole(load, chance))]
            made.append(replace(job, sends=[one._replace(job=_copy(one.job, one.job.sent, n)) for one, n in many]))
            continue
        known = times[job.task]
        following = bisect_right(known, job.sent)
        room = max((known[following] if following < len(known) else end) - job.sent, 0.0)
        # Spread a job's copies over the time until the task's next job, so that busy and quiet times stay as they are.
        made += [
            _copy(job, job.sent + chance.random() * room, number) if number else job
            for number in range(whole(load, chance))
        ]
    return made


def whole(count: float, chance: Random) -> int:
    """Round ``count`` up or down at random, so that the average is ``count``."""
    return int(count) + (chance.random() < count - int(count))
