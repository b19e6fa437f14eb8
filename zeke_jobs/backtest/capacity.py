"""The load that a configuration can carry: the jobs' need of threads, limits, rates and money, and the first one to run out."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zeke_jobs.backtest.figures import percentile
from zeke_jobs.backtest.gates import rate_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zeke_jobs.backtest.fleet import Fleet
    from zeke_jobs.backtest.lanes import Key
    from zeke_jobs.backtest.workload import Workload
    from zeke_jobs.config.entries import Rate
    from zeke_jobs.config.models import Config, Task

Kind = Literal["threads", "limit", "rate", "key", "budget", "database"]

DAY = 86_400.0
_PEAK = 3600.0  # seconds of a busy time
_LEAST_KEY_JOBS = 20


@dataclass(frozen=True)
class Bound:
    """A supply that can run out.

    Attributes:
        name: ``threads``, ``task/ID``, ``limit/NAME``, ``budget``, ``database``; a busy key is ``key of ID``.
        kind: Its kind.
        has: The supply: jobs at once, starts a second, money a day, jobs a second.
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
        return (bound for bound in self.bounds if bound.kind != "key")


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
    tasks = list(config.tasks.values())
    owners: list[tuple[str, int | None, Rate | None, list[Task]]] = [
        (f"task/{task.id}", task.concurrency.limit, task.rate.window if task.rate else None, [task]) for task in tasks
    ]
    for limit in config.limits.values():
        users = [task for task in tasks if limit.name in task.uses]
        owners.append((f"limit/{limit.name}", limit.concurrency, limit.rate.window if limit.rate else None, users))
    for name, slots, rate, tasks in owners:
        ids = needs.tasks(task.id for task in tasks)
        if slots is not None:
            yield needs.bound(name, "limit", slots, ids, "held")
        if rate is not None:
            yield needs.bound(f"{name} rate", "rate", rate.count / rate_window(rate), ids, "starts")


def _keys(config: Config, needs: _Needs) -> Iterator[Bound]:
    """The busiest key of each task that bounds its keys: more load of the same key has to wait for it."""
    for task in config.tasks.values():
        keys: Mapping[Key, float] = needs.by_key.get(task.id, {})
        if task.per_key is None or not keys:
            continue
        busiest = max(keys, key=lambda key: keys[key])
        if needs.key_jobs[task.id, busiest] >= _LEAST_KEY_JOBS:
            held = keys[busiest] / needs.seconds
            yield Bound(f"key {busiest} of {task.id}", "key", task.per_key, held, held, (task.id,))


class _Needs:
    """The need of each task's jobs: thread-seconds, starts and money, in all and in each hour."""

    def __init__(self, workload: Workload, config: Config) -> None:
        self.seconds = max(workload.end - workload.begin, 1.0)
        self.jobs: Counter[str] = Counter()
        self.by_key: defaultdict[str, defaultdict[Key, float]] = defaultdict(lambda: defaultdict(float))
        self.key_jobs: Counter[tuple[str, Key]] = Counter()
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
        self._sums[task, "cost"][hour] += workload.cost[job] or 0.0
        key = workload.key[job]
        if key is not None:
            self.by_key[task][key] += held
            self.key_jobs[task, key] += 1

    def tasks(self, ids: Iterable[str]) -> list[str]:
        """The tasks with jobs."""
        return [task for task in ids if task in self.jobs]

    def bound(self, name: str, kind: Kind, has: float, tasks: list[str], what: str) -> Bound:
        """The common need of these tasks, compared with the supply."""
        whole = {task: sum(self._sums[task, what]) for task in tasks}
        hours = [sum(self._sums[task, what][hour] for task in tasks) for hour in range(self._hours)]
        order = sorted((task for task in whole if whole[task]), key=lambda task: -whole[task])
        per_hour = self.seconds / self._hours
        return Bound(
            name, kind, has, sum(whole.values()) / self.seconds, max(hours, default=0.0) / per_hour, tuple(order)
        )


def busiest_second(workload: Workload) -> float:
    """Jobs a second in the busiest minute (the 99th percentile of the minutes), which the database has carried."""
    minutes: Counter[int] = Counter(int(sent // 60) for sent in workload.sent)
    return (percentile(sorted(minutes.values()), 0.99) or 0.0) / 60
