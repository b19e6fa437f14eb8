"""The figures of a run for people and scripts: waits, queues, utilisation, breaches, cost, causes of delay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeke_jobs.backtest.simulation import Simulation
    from zeke_jobs.backtest.tally import TaskTally
    from zeke_jobs.backtest.workload import Fleet
    from zeke_jobs.config.models import Task

_COUNTS = ["jobs", "completed", "failed", "retried", "expired", "refused", "skipped", "unstarted", "left", "cost"]


@dataclass(frozen=True)
class TaskFigures:
    """One task. Waits are seconds from a job's due time to the start of its handler.

    Attributes:
        jobs: Sent in the time that counts.
        wait_mean, wait_p50, wait_p95, wait_p99: Waits; unstarted jobs count with their wait so far.
        queue_peak: The most due jobs that waited at one moment.
        busy: Threads that its jobs occupied, on average.
        utilisation: Occupied share of its limit, or of all threads if it has none; None if that is zero.
        max_wait: The max_wait of jobs.yaml in seconds, if there is one.
        breaches: Jobs that waited longer than max_wait; None without one.
        cost: Cost of the started jobs; None if no cost is known.
        held_by: Seconds in which a due job was blocked, by cause.
    """

    jobs: int
    wait_mean: float | None
    wait_p50: float | None
    wait_p95: float | None
    wait_p99: float | None
    queue_peak: int
    busy: float
    utilisation: float | None
    max_wait: float | None
    breaches: int | None
    completed: int
    failed: int
    retried: int
    expired: int
    refused: int
    skipped: int
    unstarted: int
    left: int
    cost: float | None
    held_by: dict[str, float]


@dataclass(frozen=True)
class LimitFigures:
    """A limit, or all threads (``threads``).

    Attributes:
        limit: Jobs at once; None for a limit that is only a rate.
        utilisation: Occupied share.
        held: Seconds in which it blocked a due job.
        tasks: Tasks whose jobs it blocked, the longest time first.
    """

    limit: int | None
    utilisation: float | None
    held: float
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """One run. ``currency`` is the currency of all costs."""

    workers: str
    seconds: float
    tasks: dict[str, TaskFigures]
    limits: dict[str, LimitFigures]
    unserved: dict[str, int]
    currency: str | None = None

    @property
    def breaches(self) -> int:
        """Jobs that waited longer than they should."""
        return sum(task.breaches or 0 for task in self.tasks.values())

    @property
    def cost(self) -> float | None:
        """Sum of the known costs; None if none is known."""
        known = [task.cost for task in self.tasks.values() if task.cost is not None]
        return sum(known) if known else None


def figures(simulation: Simulation) -> Figures:
    """The figures of a simulation that has run."""
    tally, fleet = simulation.tally, simulation.fleet
    seconds = max(simulation.workload.end - simulation.workload.begin, 1e-9)
    tasks = {
        name: _task(one, simulation.config.tasks[name], simulation, fleet, seconds)
        for name, one in tally.tasks.items()
        if one.jobs or one.refused or one.skipped
    }
    return Figures(
        str(fleet),
        seconds,
        tasks,
        _limits(simulation, fleet, seconds),
        dict(tally.unserved_jobs),
        simulation.workload.currency,
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The percentile at a share from 0 to 1, interpolated as by SQL's percentile_cont."""
    if not ordered:
        return None
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _task(one: TaskTally, task: Task, simulation: Simulation, fleet: Fleet, seconds: float) -> TaskFigures:
    waits = sorted(one.waits)
    lane = simulation.board.lanes[task.id]
    max_wait = task.max_wait.total_seconds() if task.max_wait else None
    slots = min(task.concurrency.limit or fleet.slots, fleet.slots)
    counts = {name: getattr(one, name) for name in _COUNTS}
    return TaskFigures(
        **counts,
        wait_mean=sum(waits) / len(waits) if waits else None,
        wait_p50=percentile(waits, 0.5),
        wait_p95=percentile(waits, 0.95),
        wait_p99=percentile(waits, 0.99),
        queue_peak=max(one.depth, default=0),
        busy=one.busy / seconds,
        utilisation=one.busy / seconds / slots if slots else None,
        max_wait=max_wait,
        breaches=None if max_wait is None else sum(wait > max_wait for wait in waits),
        held_by=dict(sorted(lane.holdups.held.items(), key=lambda item: -item[1])),
    )


def _limits(simulation: Simulation, fleet: Fleet, seconds: float) -> dict[str, LimitFigures]:
    lanes = simulation.board.lanes.values()
    busy = {lane.task: simulation.tally.tasks[lane.task].busy / seconds for lane in lanes}
    found: dict[str, LimitFigures] = {}
    slots: dict[str, tuple[int | None, float]] = {"threads": (fleet.slots, sum(busy.values()))}
    for one in simulation.board.limits.values():
        used = sum(busy[lane.task] for lane in lanes if one in lane.limits)
        if one.slots is not None:
            slots[one.name] = (one.slots, used)
        if one.spacing is not None:
            slots[f"{one.name} rate"] = (None, 0.0)
    for lane in lanes:
        for cause in lane.holdups.held:
            slots.setdefault(cause, (None, 0.0))
    for name, (limit, used) in slots.items():
        held = {lane.task: lane.holdups.held[name] for lane in lanes if name in lane.holdups.held}
        found[name] = LimitFigures(
            limit,
            used / limit if limit else None,
            sum(held.values()),
            tuple(sorted(held, key=lambda task: -held[task])),
        )
    return found
