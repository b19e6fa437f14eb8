"""The load that a configuration can carry: the jobs' need of threads, limits and money, and the first one to run out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from zeke_jobs.backtest.figures import percentile
from zeke_jobs.backtest.limits import Rate
from zeke_jobs.backtest.workload import Fleet, Workload
from zeke_jobs.config import catalogue
from zeke_jobs.config.models import Config

Kind = Literal["threads", "limit", "rate", "units", "budget", "database"]

DAY = 86_400.0
_PEAK = 3600.0  # seconds of a busy time


@dataclass(frozen=True)
class Bound:
    """A supply that can run out.

    Attributes:
        name: ``threads``, ``task/ID``, ``limit/NAME``, each also with ``rate``, ``budget`` or a unit; ``budget``, ``database``.
        has: The supply: jobs at once, or starts, units, money or jobs a second.
        needs: The average need.
        needs_at_peak: The need in the busiest hour.
        tasks: Tasks that need it, the greatest need first.
    """

    name: str
    kind: Kind
    has: float
    needs: float
    needs_at_peak: float
    tasks: tuple[str, ...]

    @property
    def carries(self) -> float:
        """The multiple of the recorded load that it can carry, if the load is spread evenly."""
        return self.has / self.needs if self.needs else float("inf")

    @property
    def carries_at_peak(self) -> float:
        """The multiple of the recorded load that it can carry in the busiest hour without falling behind."""
        return self.has / self.needs_at_peak if self.needs_at_peak else float("inf")


@dataclass(frozen=True)
class Capacity:
    """The load that a configuration carries.

    Attributes:
        jobs: Jobs a day that were sent, by task.
        bounds: The supplies, the scarcest first.
    """

    jobs: dict[str, float]
    bounds: tuple[Bound, ...]

    @property
    def first(self) -> Bound | None:
        """The first bound to run out; None if nothing was needed."""
        return next(iter(self.bounds), None)

    @property
    def first_at_peak(self) -> Bound | None:
        """The first bound to run out in the busiest hour."""
        return min(self.bounds, key=lambda bound: bound.carries_at_peak, default=None)


def capacity(
    workload: Workload,
    config: Config,
    fleet: Fleet,
    *,
    budget: float | None = None,
    database: float | None = None,
) -> Capacity:
    """The load that ``config`` carries, relative to a workload.

    ``budget`` is the money for a day, in the currency of the jobs' costs; ``database`` the measured jobs a second.
    """
    needs = _Needs(workload, config)
    found = [needs.bound("threads", "threads", fleet.slots, config.tasks, "held"), *_limits(config, needs)]
    if budget is not None:
        found.append(needs.bound("budget", "budget", budget / DAY, config.tasks, "cost"))
    if database is not None:
        found.append(needs.bound("database", "database", database, config.tasks, "starts"))
    used = sorted((bound for bound in found if bound.needs > 0), key=lambda bound: bound.carries)
    return Capacity({name: count / needs.seconds * DAY for name, count in sorted(needs.jobs.items())}, tuple(used))


def _limits(config: Config, needs: _Needs) -> Iterator[Bound]:
    for row in catalogue.buckets(config):
        name, unit, tasks = row["name"], row["unit"], row["tasks"]
        if row.get("concurrency") is not None:
            yield needs.bound(name, "limit", row["concurrency"], tasks, "held")
        if "zone" in row:
            costs = ["cost"] if needs.currency == unit else []
            yield needs.bound(f"{name} budget", "budget", float(row["amount"]) / DAY, tasks, *costs, unit)
        elif row["amount"] is not None:
            has = 1 / Rate(row["amount"], row["period"], row["burst"]).step
            if unit == "jobs":
                yield needs.bound(f"{name} rate", "rate", has, tasks, "starts")
            else:
                yield needs.bound(f"{name} {unit}", "units", has, tasks, unit)


class _Needs:
    """The need of each task's jobs: thread-seconds (held), starts, units and money (cost), in each hour.

    Units are not recorded: the estimates of jobs.yaml count, and of money where a job has no cost in that currency.
    """

    def __init__(self, workload: Workload, config: Config) -> None:
        self.seconds = max(workload.end - workload.begin, 1.0)
        self.currency = workload.currency
        self.jobs: Counter[str] = Counter()
        self._hours = max(1, round(self.seconds / _PEAK))
        self._sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * self._hours)
        for job in workload.counted():
            task = config.task(job.task)
            if task is None:
                continue
            hour = min(int((job.sent - workload.begin) / self.seconds * self._hours), self._hours - 1)
            needs = {unit: float(estimate) * len(job.attempts) for unit, estimate in task.units.items()}
            if job.cost is not None and self.currency:
                needs[self.currency] = 0.0
            held = sum(attempt.held for attempt in job.attempts)
            needs |= {"held": held, "starts": len(job.attempts), "cost": job.cost or 0.0}
            for what, need in needs.items():
                self._sums[task.id, what][hour] += need
            self.jobs[task.id] += 1

    def bound(self, name: str, kind: Kind, has: float, ids: Iterable[str], *what: str) -> Bound:
        """The need of these tasks together, compared with the supply."""
        tasks = [task for task in ids if task in self.jobs]
        whole = {task: sum(sum(self._sums[task, one]) for one in what) for task in tasks}
        hours = [sum(self._sums[task, one][hour] for task in tasks for one in what) for hour in range(self._hours)]
        order = tuple(sorted((task for task in whole if whole[task]), key=lambda task: -whole[task]))
        peak = max(hours) / (self.seconds / self._hours)
        return Bound(name, kind, has, sum(whole.values()) / self.seconds, peak, order)


def busiest_second(workload: Workload) -> float:
    """Jobs a second in the busiest minute (the 99th percentile of the minutes), which the database has carried."""
    minutes: Counter[int] = Counter(int(job.sent // 60) for job in workload.jobs())
    return (percentile(sorted(minutes.values()), 0.99) or 0.0) / 60
