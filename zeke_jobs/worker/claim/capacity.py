"""How much a process can take on: free threads, and a little ahead of tasks whose jobs are short."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker.claim.claims import Claim

#: Seconds that a claimed job may have to wait for a thread. Enough to hide a round trip, too little for a person to notice.
_AHEAD = 0.03
_MOST_AHEAD = 512
_SMOOTHING = 0.2
_TOO_LONG = 0.1  # seconds; what waits longer behind a job that runs longer is handed back


class Load:
    """Counts what was taken and not worked off, and learns how long each task's jobs take. Thread-safe.

    It owns the life of a claim in this process. Each arrow is taken once, under its lock, so that one end counts once:

        claimed ── take ──▶ waits for a thread ── start ──▶ runs ── end, done ──▶ over
                              │ late, drop, end               │ give_up            ▲
                              ▼                               ▼                    │
                             over               ended, its thread is lost ── done ─┘

    ``end``, ``late``, ``drop`` and ``give_up`` answer whether they were the first to end a claim: then the caller says how it
    ended. ``done`` says that its thread, or its place in the queue for one, is free.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.lost = 0  # threads whose handlers take no notice of an interrupt
        self._taken = 0
        self._order = 0
        self._taken_long = 0
        self._started = 0
        self._durations: dict[str, float] = {}
        self._short: tuple[str, ...] = ()
        self._duration = 0.0  # of the jobs of short tasks, smoothed
        self._lock = threading.Lock()

    def take(self, claim: Claim) -> None:
        """A job is to start as soon as those before it leave it a thread."""
        with self._lock:
            self._take(claim)

    def start(self, claim: Claim) -> bool:
        """A thread begins with a job; False when it was handed back in the meantime."""
        with self._lock:
            if claim.ended:
                return False
            claim.started = time.monotonic()
            self._started += 1
            return True

    def end(self, claim: Claim) -> bool:
        """Its thread knows how a job ended, or it is handed back; False when somebody else has ended it."""
        with self._lock:
            first = not claim.ended
            claim.ended = True
            return first

    def give_up(self, claim: Claim) -> bool:
        """A job ends without its handler, whose thread is lost until ``done``; False when somebody else has ended it."""
        with self._lock:
            if claim.ended:
                return False
            claim.ended = claim.given_up = True
            self.lost += 1
            return True

    def drop(self, claim: Claim) -> bool:
        """A job that waits for a thread no longer starts here; False when it does not wait for one (any more)."""
        with self._lock:
            return self._drop(claim)

    def done(self, claim: Claim, follower: Claim | None = None) -> bool:
        """A thread is finished with a job, or the job was given back. True when that freed the first thread of a full process.

        Args:
            claim: The job.
            follower: Who starts in its place.
        """
        with self._lock:
            claim.ended = True
            was_counted = claim.is_counted
            self._let_go(claim)
            if follower is not None:
                self._take(follower)
            if was_counted and claim.started is not None:
                self._started -= 1
                self.lost -= claim.given_up
                self._learn(claim.task, time.monotonic() - claim.started)
            return was_counted and follower is None and self._taken == self.threads - 1

    def too_late(self, claims: Iterable[Claim]) -> tuple[float, bool]:
        """Since when a job waits too long (monotonic seconds), and whether one of the claims held runs for longer.

        That one's task is no longer short: what is handed back would be claimed ahead again.
        """
        now, is_long = time.monotonic(), False
        with self._lock:
            for claim in claims:
                if claim.ended or claim.started is None or now - claim.started <= _TOO_LONG:
                    continue
                is_long = True
                if not claim.long:
                    claim.long = True
                    self._taken_long += 1
                if claim.task in self._short:
                    self._learn(claim.task, now - claim.started)
        return now - _TOO_LONG, is_long

    def late(self, claims: Iterable[Claim], before: float) -> list[Claim]:
        """Of the claims held, those that wait for a thread since a time before that. They no longer start here."""
        with self._lock:
            return [claim for claim in claims if claim.received < before and self._drop(claim)]

    def short(self) -> dict[str, int]:
        """The tasks of which jobs may be claimed ahead, and how many of each a thread gets through in that time."""
        with self._lock:
            return {task: int(_AHEAD / max(self._durations[task], 1e-5)) for task in self._short}

    def waiting(self) -> int:
        """Jobs that were taken and have not started."""
        return self._taken - self._started

    def free(self) -> int:
        """Threads that have nothing to do; below zero by what was claimed ahead."""
        return self.threads - self._taken

    def room(self, *, may_be_ahead: bool = True) -> int:
        """How many jobs to claim now: as many as will start within ``_AHEAD`` seconds, or at once.

        None before there is room for many: a claim costs a round trip, however few it brings.

        Args:
            may_be_ahead: False, and only as many as threads are free.
        """
        with self._lock:
            free = self.threads - self._taken
            if not may_be_ahead:
                return max(0, free)
            flowing = self.threads - self._taken_long  # threads that come back soon
            if self._taken_long:
                flowing -= 1  # where there are long jobs, the next one may be claimed along with this
            if not self._short or flowing <= 0:
                return max(0, free)
            ahead = min(_MOST_AHEAD, int(flowing * _AHEAD / max(self._duration, 1e-5)))
            return free + ahead if free + ahead > ahead // 4 else 0

    def _take(self, claim: Claim) -> None:
        self._order += 1
        claim.order = self._order
        claim.long = claim.task not in self._short
        claim.is_counted = True
        self._taken += 1
        self._taken_long += claim.long

    def _drop(self, claim: Claim) -> bool:
        if not claim.is_counted or claim.ended or claim.started is not None:
            return False
        claim.ended = True
        self._let_go(claim)
        return True

    def _let_go(self, claim: Claim) -> None:
        if claim.is_counted:
            claim.is_counted = False
            self._taken -= 1
            self._taken_long -= claim.long

    def _learn(self, task: str, duration: float) -> None:
        known = self._durations.get(task)
        # One long job says at once that claiming ahead is over; short ones say only by and by that it may begin.
        if known is not None and duration <= _AHEAD:
            duration = known + _SMOOTHING * (duration - known)
        self._durations[task] = duration
        if duration <= _AHEAD:
            self._duration += (_SMOOTHING if self._short else 1.0) * (duration - self._duration)
        if (duration <= _AHEAD) != (task in self._short):
            self._short = tuple(task for task, known in self._durations.items() if known <= _AHEAD)
