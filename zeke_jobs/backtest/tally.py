"""The counts of a running simulation: waits, queues, use of threads and limits, and the causes that blocked jobs."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zeke_jobs.backtest.lanes import Lane
    from zeke_jobs.backtest.rules import Board
    from zeke_jobs.backtest.workload import Workload

#: Moments at which queues are sampled, evenly over the time that counts.
SAMPLES = 120


class TaskTally:
    """One task's figures, only for jobs sent in the time that counts.

    Attributes:
        waits: Seconds from due time to first start; for unstarted jobs, to the present.
        starts: The end of each of these waits.
        busy: Thread-seconds of its jobs in the time that counts.
        depth: The most due jobs between each sample and the one before.
        jobs: Number of jobs sent.
        retried: Attempts after the first, without deferrals.
        left: Jobs that had not ended at the end of the simulation.
        expired: Jobs that left the queue unstarted.
        refused: Sends into a full queue.
        skipped: Ticks skipped because the job of an earlier one was unfinished.
        cost: Known costs of started jobs.
    """

    __slots__ = (
        "busy", "completed", "cost", "depth", "expired", "failed", "jobs", "left", "refused", "retried", "skipped", "starts",
        "unstarted", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self.waits = array("d")
        self.starts = array("d")
        self.depth: list[int] = []
        self.busy = 0.0
        self.cost: float | None = None
        self.jobs = self.completed = self.failed = self.retried = 0
        self.left = self.unstarted = self.expired = self.refused = self.skipped = 0


class Tally:
    """The figures of one run."""

    def __init__(self, workload: Workload, board: Board, ids: Mapping[str, str]) -> None:
        self.workload = workload
        self.board = board
        self._ids = ids
        self.tasks = {name: TaskTally() for name in board.lanes}
        self.unserved_jobs: dict[str, int] = {}
        self.queued = dict.fromkeys(board.lanes, 0)
        self.last = 0.0
        self._begin, self._end = workload.begin, workload.end
        for lane in board.lanes.values():
            lane.holdups.span = (workload.begin, workload.end)
        self._counts = [sent >= workload.begin for sent in workload.sent]
        self._next_sample = self._begin
        self._step = max((self._end - self._begin) / SAMPLES, 1e-9)

    # ── events ──

    def unserved(self, job: int) -> None:
        """Count a job whose task the configuration lacks."""
        name = self.workload.task[job]
        self.unserved_jobs[name] = self.unserved_jobs.get(name, 0) + 1

    def sent(self, lane: Lane, job: int) -> None:
        """Count a job that was sent."""
        self.queued[lane.task] += 1
        if self._counts[job]:
            self.tasks[lane.task].jobs += 1

    def started(self, lane: Lane, job: int, now: float, wait: float, held: float, *, first: bool) -> None:
        """Count a claimed attempt that will hold its thread for ``held`` seconds."""
        tally = self.tasks[lane.task]
        self.queued[lane.task] -= 1
        tally.busy += self._within(now, now + held)
        if not self._counts[job]:
            return
        if first:
            tally.waits.append(wait)
            tally.starts.append(now)
            if (cost := self.workload.cost[job]) is not None:
                tally.cost = (tally.cost or 0.0) + cost

    def cut(self, lane: Lane, now: float, until: float) -> None:
        """Shorten an attempt that would have held its thread until ``until``."""
        self.tasks[lane.task].busy -= self._within(now, until)

    def _within(self, start: float, end: float) -> float:
        """The part of an interval, in seconds, that lies within the time that counts."""
        return max(0.0, min(end, self._end) - max(start, self._begin))

    def again(self, lane: Lane, job: int, *, is_retry: bool) -> None:
        """Count a job that goes back to the queue."""
        self.queued[lane.task] += 1
        if is_retry and self._counts[job]:
            self.tasks[lane.task].retried += 1

    def finished(self, lane: Lane, job: int, now: float, *, completed: bool) -> None:
        """Count a job that ended for good."""
        self.last = now
        if not self._counts[job]:
            return
        if completed:
            self.tasks[lane.task].completed += 1
        else:
            self.tasks[lane.task].failed += 1

    def left_unstarted(self, lane: Lane, job: int, now: float, wait: float) -> None:
        """Count a job that expired or was cancelled before its start."""
        self.queued[lane.task] -= 1
        if self._counts[job]:
            tally = self.tasks[lane.task]
            tally.expired += 1
            tally.waits.append(max(0.0, wait))
            tally.starts.append(now)

    def sample(self, now: float) -> float:
        """Note the lengths of the queues if a sample is due; returns the time of the next sample."""
        while self._next_sample <= now and self._next_sample <= self._end:
            for name, lane in self.board.lanes.items():
                is_first = self._next_sample == self._begin
                self.tasks[name].depth.append(lane.due if is_first else lane.high)
                lane.high = lane.due
            self._next_sample += self._step
        return self._next_sample if self._next_sample <= self._end else float("inf")

    def close(self, now: float, due: Mapping[int, float], tried: Mapping[int, object]) -> None:
        """End the run; ``due`` has the jobs that are still queued, with their due times."""
        self.sample(self._end)
        for lane in self.board.lanes.values():
            lane.holdups.note("", now)
        for job, since in due.items():
            if self._counts[job] and job not in tried:
                tally = self.tasks[self._ids[self.workload.task[job]]]
                tally.unstarted += 1
                tally.waits.append(max(0.0, now - since))
                tally.starts.append(now)
        for tally in self.tasks.values():
            tally.left = tally.jobs - tally.completed - tally.failed - tally.expired
