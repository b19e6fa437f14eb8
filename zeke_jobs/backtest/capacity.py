"""Computes how many jobs a configuration can carry, and whether threads, limits or money run out first."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from zeke_jobs.backtest.limits import Rate
from zeke_jobs.backtest.workload import Fleet, Workload
from zeke_jobs.config import catalogue
from zeke_jobs.config.models import Config

Kind = Literal["threads", "limit", "rate", "units", "budget", "database"]
#: A supply has a name, a kind, a size, the tasks that need it, and the kinds of need that count.
_Supply = tuple[str, Kind, float, Iterable[str], tuple[str, ...]]

DAY = 86_400.0


@dataclass(frozen=True)
class Bound:
    """Describes a resource that jobs can use up, such as threads or a budget."""

    name: str  # threads, budget, database, task/ID or limit/NAME; the last two also followed by rate, budget or a unit
    kind: Kind
    has: float  # size of the resource: jobs at once, or starts, units, money or jobs a second
    needs: float  # the average need of the tasks
    carries: float  # the multiple of the recorded load that the resource can carry, if the load is spread evenly
    tasks: tuple[str, ...]  # tasks that need the resource, the greatest need first


def capacity(
    workload: Workload, config: Config, fleet: Fleet, *, budget: float | None = None, database: float | None = None
) -> tuple[dict[str, float], list[Bound]]:
    """Return how many jobs of each task the workload has per day, and the resources that they use, the scarcest first.

    ``budget`` is the most that all jobs may cost per day. ``database`` is how many jobs a second the database can run.
    """
    supplies: list[_Supply] = [("threads", "threads", fleet.slots, config.tasks, ("held",))]
    supplies += _limits(config, workload.currency)
    if budget is not None:
        supplies.append(("budget", "budget", budget / DAY, config.tasks, ("cost",)))
    if database is not None:
        supplies.append(("database", "database", database, config.tasks, ("starts",)))
    seconds, needs, found = max(workload.end, 1.0), _needs(workload, config), list[Bound]()
    for name, kind, has, tasks, what in supplies:
        shares = [(sum(needs[task, one] for one in what) / seconds, task) for task in tasks]
        if need := sum(share for share, _ in shares):
            most = tuple(task for share, task in sorted(shares, reverse=True) if share)
            found.append(Bound(name, kind, has, need, has / need, most))
    jobs = {task: needs[task, "jobs"] / seconds * DAY for task in sorted(config.tasks) if needs[task, "jobs"]}
    return jobs, sorted(found, key=lambda bound: bound.carries)


def _limits(config: Config, currency: str | None) -> Iterator[_Supply]:
    for row in catalogue.buckets(config):
        name, unit, tasks = row["name"], row["unit"], row["tasks"]
        if row.get("concurrency") is not None:
            yield name, "limit", row["concurrency"], tasks, ("held",)
        if "zone" in row:
            what = ("cost", unit) if currency == unit else (unit,)
            yield f"{name} budget", "budget", float(row["amount"]) / DAY, tasks, what
        elif row["amount"] is not None:
            has = 1 / Rate(row["amount"], row["period"], row["burst"]).step
            if unit == "jobs":
                yield f"{name} rate", "rate", has, tasks, ("starts",)
            else:
                yield f"{name} {unit}", "units", has, tasks, (unit,)


def _needs(workload: Workload, config: Config) -> defaultdict[tuple[str, str], float]:
    """Return each task's sums: seconds on a thread (``held``), ``starts``, units such as tokens, ``cost`` and ``jobs``.

    Units are estimates from jobs.yaml. If a job's cost was not recorded, its estimate counts under its currency.
    """
    sums = defaultdict[tuple[str, str], float](float)
    for job in workload.counted():
        task = config.task(job.task)
        if task is None:
            continue
        needs = {unit: float(estimate) * len(job.attempts) for unit, estimate in task.units.items()}
        if job.cost is not None and workload.currency:
            needs[workload.currency] = 0.0
        held = sum(attempt.held for attempt in job.attempts)
        needs |= {"jobs": 1, "held": held, "starts": len(job.attempts), "cost": job.cost or 0.0}
        for what, need in needs.items():
            sums[task.id, what] += need
    return sums
