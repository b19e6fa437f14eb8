"""Holds the figures of a simulation, for people and scripts: waits, queues, utilisation, breaches of max_wait, cost."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles


@dataclass
class TaskFigures:
    """Holds a task's figures, for jobs sent within the period. A wait is the time in seconds from due time to start."""

    max_wait: float | None = None  # the max_wait of jobs.yaml in seconds, or None
    jobs: int = 0
    wait_mean: float | None = None  # unstarted jobs count with their wait until the end of the run
    wait_p50: float | None = None
    wait_p95: float | None = None
    wait_p99: float | None = None
    queue_peak: int = 0  # maximum number of due jobs that waited at one moment
    busy: float = 0.0  # threads that the task's jobs occupied, on average
    utilisation: float | None = None  # occupied share of the task's limit, or of all threads; None if that is zero
    breaches: int | None = None  # jobs that waited longer than max_wait; None without max_wait
    completed: int = 0
    failed: int = 0
    retried: int = 0  # attempts after the first, without deferrals
    expired: int = 0  # jobs that left the queue unstarted
    refused: int = 0  # sends that a full queue refused; a job that is sent again may be refused again
    skipped: int = 0  # ticks skipped because the job of an earlier tick was unfinished
    unstarted: int = 0
    left: int = 0  # jobs that had not ended at the end of the simulation
    cost: float | None = None  # cost of the started jobs; None if no cost is known
    held_by: dict[str, float] = field(default_factory=dict)  # seconds in which a due job was blocked, by cause

    def __post_init__(self) -> None:
        # These attributes are not fields of the dataclass, so ``--json`` does not print them.
        self.waits, self.starts = array("d"), array("d")  # each wait, and the time of its end
        self.depth: list[int] = []  # maximum number of due jobs between each sample and the sample before

    def waited(self, wait: float, now: float) -> None:
        """Record a job's wait in seconds since its due time, and the time ``now`` at which it ended."""
        self.waits.append(max(0.0, wait))
        self.starts.append(now)

    def close(self, seconds: float, slots: int | None) -> None:
        """Compute the final figures. ``slots``: how many jobs the task's limit or the threads allow at once."""
        ordered = sorted(self.waits)
        self.wait_mean = sum(ordered) / len(ordered) if ordered else None
        self.wait_p50, self.wait_p95, self.wait_p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
        self.queue_peak = max(self.depth, default=0)
        self.busy /= seconds
        self.utilisation = self.busy / slots if slots else None
        if self.max_wait is not None:
            self.breaches = sum(wait > self.max_wait for wait in ordered)
        self.left = self.jobs - self.completed - self.failed - self.expired
        self.held_by = dict(sorted(self.held_by.items(), key=lambda item: -item[1]))


@dataclass(frozen=True)
class LimitFigures:
    """Holds the figures of one limit. The total number of worker threads is a limit too, named ``threads``."""

    limit: int | None  # jobs at once; None for a limit without ``concurrency``
    utilisation: float | None  # occupied share
    held: float  # seconds in which the limit blocked a due job
    tasks: tuple[str, ...]  # tasks whose jobs the limit blocked, the longest time first


@dataclass(frozen=True)
class Figures:
    """Holds the figures of one simulation. ``currency`` is the currency of all costs."""

    workers: str
    seconds: float
    tasks: dict[str, TaskFigures]
    limits: dict[str, LimitFigures]
    unserved: dict[str, int]
    currency: str | None = None

    @property
    def breaches(self) -> int:
        """Return the number of jobs that waited longer than their max_wait."""
        return sum(task.breaches or 0 for task in self.tasks.values())

    @property
    def cost(self) -> float | None:
        """Return the sum of the known costs, or None if no cost is known."""
        known = [task.cost for task in self.tasks.values() if task.cost is not None]
        return sum(known) if known else None


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the percentile at a share such as 0.95, interpolated like SQL's percentile_cont."""
    if len(ordered) < 2:
        return ordered[0] if ordered else None
    return quantiles(ordered, n=100, method="inclusive")[round(share * 100) - 1]
