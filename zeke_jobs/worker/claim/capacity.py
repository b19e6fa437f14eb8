"""The number of jobs a process can take on: one for each free thread, and a few more of tasks whose jobs are short."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zeke_jobs.worker.claim.claims import PLACED, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker.claim.claims import Claim

#: Seconds that a claimed job may have to wait for a thread. Enough to hide a round trip, too little for a person to notice.
_AHEAD = 0.03
_MOST_AHEAD = 512
_SMOOTHING = 0.2
_TOO_LONG = 0.1  # seconds; if a job runs longer, the jobs that have waited longer are handed back


class Capacity:
    """Counts the jobs that have a thread or wait for one, and learns how long each task's jobs take.

    Pure, but for the clock; ``HeldJobs`` calls it under its lock.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.lost = 0  # threads whose handlers ignore an interrupt
        self._taken = 0
        self._order = 0
        self._taken_long = 0
        self._started = 0
        self._durations: dict[str, float] = {}
        self._short_tasks: tuple[str, ...] = ()
        self._duration = 0.0  # of short tasks' jobs in seconds, smoothed

    def take(self, claim: Claim) -> None:
        """A job gets a place: it starts as soon as the jobs before it leave a thread free."""
        claim.move(Stage.WAITS_FOR_THREAD)
        self._order += 1
        claim.order = self._order
        claim.long = claim.task not in self._short_tasks
        self._taken += 1
        self._taken_long += claim.long

    def start(self, claim: Claim) -> None:
        """A thread starts a job."""
        claim.move(Stage.RUNS)
        claim.started = time.monotonic()
        self._started += 1

    def give_up(self, claim: Claim) -> None:
        """A job has ended, but its handler goes on and keeps the thread."""
        claim.move(Stage.GIVEN_UP)
        self.lost += 1

    def end(self, claim: Claim) -> bool:
        """A job has ended and leaves its place, if it had one. True when this frees the first thread of a full process."""
        was = claim.stage
        claim.move(Stage.ENDED)
        if was not in PLACED:
            return False
        self._taken -= 1
        self._taken_long -= claim.long
        self.lost -= was is Stage.GIVEN_UP
        if claim.started is not None:
            self._started -= 1
            self._learn(claim.task, time.monotonic() - claim.started)
        return self._taken == self.threads - 1

    def too_long_since(self, claims: Iterable[Claim]) -> tuple[float, bool]:
        """Find out whether a job runs so long that waiting jobs must be handed back.

        The task of such a job no longer counts as short. Otherwise the jobs handed back would be claimed ahead again.

        Returns:
            A time (monotonic seconds), and whether a job runs too long. Jobs received before this time have then waited too long.
        """
        now, is_long = time.monotonic(), False
        for claim in claims:
            if claim.stage is not Stage.RUNS or claim.started is None or now - claim.started <= _TOO_LONG:
                continue
            is_long = True
            if not claim.long:
                claim.long = True
                self._taken_long += 1
            if claim.task in self._short_tasks:
                self._learn(claim.task, now - claim.started)
        return now - _TOO_LONG, is_long

    def short_tasks(self) -> dict[str, int]:
        """Tasks whose jobs may be claimed ahead, with the number that one thread finishes in ``_AHEAD`` seconds."""
        return {task: int(_AHEAD / max(self._durations[task], 1e-5)) for task in self._short_tasks}

    def waiting(self) -> int:
        """Jobs that have a place and have not started."""
        return self._taken - self._started

    def free(self) -> int:
        """Number of threads without a job; negative by the number of jobs claimed ahead."""
        return self.threads - self._taken

    def room(self, *, may_be_ahead: bool = True) -> int:
        """Number of jobs to claim now: as many as will start at once or within ``_AHEAD`` seconds.

        It stays 0 until there is room for many, because a claim costs a round trip even for one job.

        Args:
            may_be_ahead: False: count only free threads.
        """
        free = self.free()
        if not may_be_ahead:
            return max(0, free)
        flowing = self.threads - self._taken_long  # threads whose jobs end soon
        if self._taken_long:
            flowing -= 1  # this claim may bring another long job
        if not self._short_tasks or flowing <= 0:
            return max(0, free)
        ahead = min(_MOST_AHEAD, int(flowing * _AHEAD / max(self._duration, 1e-5)))
        return free + ahead if free + ahead > ahead // 4 else 0

    def _learn(self, task: str, duration: float) -> None:
        known = self._durations.get(task)
        # One long job ends claiming ahead at once; only several short jobs begin it again.
        if known is not None and duration <= _AHEAD:
            duration = known + _SMOOTHING * (duration - known)
        self._durations[task] = duration
        if duration <= _AHEAD:
            self._duration += (_SMOOTHING if self._short_tasks else 1.0) * (duration - self._duration)
        if (duration <= _AHEAD) != (task in self._short_tasks):
            self._short_tasks = tuple(task for task, known in self._durations.items() if known <= _AHEAD)
