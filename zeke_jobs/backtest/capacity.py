"""The load that a configuration can carry: the jobs' need of threads, limits and money, and the first one to run out."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zeke_jobs.backtest.figures import percentile
from zeke_jobs.backtest.limits import Spacing, owners
from zeke_jobs.config.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zeke_jobs.backtest.workload import Fleet, Key, Workload
    from zeke_jobs.config.models import Config

Kind = Literal["threads", "limit", "rate", "units", "key", "key rate", "budget", "database"]

DAY = 86_400.0
_PEAK = 3600.0  # seconds of a busy time
_LEAST_KEY_JOBS = 20


@dataclass(frozen=True)
class Bound:
    """A supply that can run out.

    Attributes:
        name: ``threads``, ``task/ID``, ``limit/NAME``, each also with ``rate``, ``budget`` or a unit; ``budget``, ``database``; a
            busy key is ``key NAME of ID``, also with ``rate``.
        kind: Its kind.
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
        seconds: Length of the recording.
        jobs: Jobs a day that were sent, by task.
        bounds: The supplies, the scarcest first.
    """

    seconds: float
    jobs: dict[str, float]
    bounds: tuple[Bound, ...]

    @property
    def first(self) -> Bound | None:
        """The first bound to run out; None if nothing was needed. Never a key: more load is assumed to bring more keys."""
        return next(self._but_keys(), None)

    @property
    def first_at_peak(self) -> Bound | None:
        """The first bound to run out in the busiest hour; never a key."""
        return min(self._but_keys(), key=lambda bound: bound.carries_at_peak, default=None)

    def _but_keys(self) -> Iterator[Bound]:
        return (bound for bound in self.bounds if not bound.kind.startswith("key"))


def capacity(
    workload: Workload,
    config: Config,
    fleet: Fleet,
    *,
    budget: float | None = None,
    database: float | None = None,
) -> Capacity:
    """The load that ``config`` carries, relative to a workload.

    Args:
        workload: The recorded jobs.
        config: The configuration with its limits.
        fleet: The workers with their threads.
        budget: Money that may be spent in a day, in the currency of the jobs' costs.
        database: Jobs a second that the database carries, if measured.
    """
    needs = _Needs(workload, config)
    found = [
        needs.bound("threads", "threads", fleet.slots, needs.tasks(config.tasks), "held"),
        *_limits(config, needs),
        *_keys(config, needs),
    ]
    if budget is not None:
        found.append(needs.bound("budget", "budget", budget / DAY, needs.tasks(config.tasks), "cost"))
    if database is not None:
        found.append(needs.bound("database", "database", database, needs.tasks(config.tasks), "starts"))
    used = [bound for bound in found if bound.needs > 0]
    return Capacity(
        needs.seconds,
        {name: count / needs.seconds * DAY for name, count in sorted(needs.jobs.items())},
        tuple(sorted(used, key=lambda bound: bound.carries)),
    )


def _limits(config: Config, needs: _Needs) -> Iterator[Bound]:
    for name, owner, users in owners(config):
        ids = needs.tasks(task.id for task in users)
        slots = owner.concurrency if isinstance(owner, Limit) else owner.concurrency.limit
        if slots is not None:
            yield needs.bound(name, "limit", slots, ids, "held")
        if owner.rate and owner.rate.limit:
            has = 1 / Spacing(owner.rate.limit, owner.rate.beside).step
            yield needs.bound(f"{name} rate", "rate", has, ids, "starts")
        for unit, one in owner.units.items() if isinstance(owner, Limit) else ():
            if one.rate:
                has = 1 / Spacing(one.rate, one.beside).step
                yield needs.bound(f"{name} {unit}", "units", has, ids, f"unit {unit}")
        if (budget := owner.budget) is not None:
            costs = ["cost"] if needs.currency == budget.currency else []
            has = float(budget.amount) / DAY
            yield needs.bound(f"{name} budget", "budget", has, ids, *costs, f"unit {budget.currency}")


def _keys(config: Config, needs: _Needs) -> Iterator[Bound]:
    """The busiest key of each task that bounds its keys: more load of the same key has to wait for it."""
    for task in config.tasks.values():
        rate = task.rate.per_key if task.rate else None
        bounds: list[tuple[str, Kind, float | None, Mapping[Key, float]]] = [
            ("", "key", task.per_key, needs.by_key[task.id]),
            (" rate", "key rate", 1 / Spacing(rate, 0).step if rate else None, needs.key_starts[task.id]),
        ]
        for suffix, kind, has, keys in bounds:
            if has is None or not keys:
                continue
            busiest = max(keys, key=lambda key: keys[key])
            if needs.key_jobs[task.id, busiest] >= _LEAST_KEY_JOBS:
                need = keys[busiest] / needs.seconds
                yield Bound(f"key {busiest} of {task.id}{suffix}", kind, has, need, need, (task.id,))


class _Needs:
    """The need of each task's jobs: thread-seconds, starts, units and money, in all and in each hour.

    Units are not recorded: the estimates of jobs.yaml count, and of money where a job has no cost in that currency.
    """

    def __init__(self, workload: Workload, config: Config) -> None:
        self.seconds = max(workload.end - workload.begin, 1.0)
        self.jobs: Counter[str] = Counter()
        self.by_key: defaultdict[str, defaultdict[Key, float]] = defaultdict(lambda: defaultdict(float))
        self.key_starts: defaultdict[str, defaultdict[Key, float]] = defaultdict(lambda: defaultdict(float))
        self.key_jobs: Counter[tuple[str, Key]] = Counter()
        self.currency = workload.currency
        self._estimates = {task.id: task.units for task in config.tasks.values()}
        self._hours = max(1, round(self.seconds / _PEAK))
        self._sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * self._hours)
        ids = {name: task.id for name in set(workload.task) if (task := config.task(name))}
        for job, name in enumerate(workload.task):
            at = workload.sent[job] - workload.begin
            if name in ids and at >= 0:
                self._add(workload, job, ids[name], min(int(at / self.seconds * self._hours), self._hours - 1))

    def _add(self, workload: Workload, job: int, task: str, hour: int) -> None:
        attempts = workload.attempts[job]
        held = sum(attempt.held for attempt in attempts)
        self.jobs[task] += 1
        self._sums[task, "held"][hour] += held
        self._sums[task, "starts"][hour] += len(attempts)
        cost = workload.cost[job]
        self._sums[task, "cost"][hour] += cost or 0.0
        for unit, estimate in self._estimates[task].items():
            if cost is None or unit != self.currency:
                self._sums[task, f"unit {unit}"][hour] += float(estimate) * len(attempts)
        key = workload.key[job]
        if key is not None:
            self.by_key[task][key] += held
            self.key_starts[task][key] += len(attempts)
            self.key_jobs[task, key] += 1

    def tasks(self, ids: Iterable[str]) -> list[str]:
        """The tasks with jobs."""
        return [task for task in ids if task in self.jobs]

    def bound(self, name: str, kind: Kind, has: float, tasks: list[str], *what: str) -> Bound:
        """The common need of these tasks, compared with the supply."""
        whole = {task: sum(sum(self._sums[task, one]) for one in what) for task in tasks}
        hours = [sum(self._sums[task, one][hour] for task in tasks for one in what) for hour in range(self._hours)]
        order = sorted((task for task in whole if whole[task]), key=lambda task: -whole[task])
        per_hour = self.seconds / self._hours
        return Bound(
            name, kind, has, sum(whole.values()) / self.seconds, max(hours, default=0.0) / per_hour, tuple(order)
        )


def busiest_second(workload: Workload) -> float:
    """Jobs a second in the busiest minute (the 99th percentile of the minutes), which the database has carried."""
    minutes: Counter[int] = Counter(int(sent // 60) for sent in workload.sent)
    return (percentile(sorted(minutes.values()), 0.99) or 0.0) / 60
