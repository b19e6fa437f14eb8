"""How much a process can take on: free threads, and a little ahead while jobs are short."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeke_jobs.claims import Claim

#: Seconds that a claimed job may have to wait for a thread. Enough to hide a round trip, too little for a person to notice.
_AHEAD = 0.03
_MOST_AHEAD = 512
_SMOOTHING = 0.2


class Load:
    """Counts what was taken and not worked off, and learns how long jobs take. Thread-safe."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._taken = 0
        self._duration: float | None = None
        self._lock = threading.Lock()

    def take(self) -> None:
        """A job was claimed."""
        with self._lock:
            self._taken += 1

    def done(self, claim: Claim) -> None:
        """A worker thread is finished with a job, or it was handed back unstarted."""
        with self._lock:
            self._taken -= 1
            if claim.started is None:
                return
            duration = time.monotonic() - claim.started
            # One long job says at once that claiming ahead is over; short ones say only by and by that it may begin.
            if self._duration is None or duration > _AHEAD:
                self._duration = duration
            else:
                self._duration += _SMOOTHING * (duration - self._duration)

    def free(self) -> int:
        """Threads that have nothing to do; below zero by what was claimed ahead."""
        return self.threads - self._taken

    def room(self) -> int:
        """How many jobs to claim now: as many as will start within ``_AHEAD`` seconds."""
        with self._lock:
            free = self.threads - self._taken
            if self._duration is None or self._duration > _AHEAD:
                return max(0, free)
            ahead = min(_MOST_AHEAD, int(self.threads * _AHEAD / max(self._duration, 1e-5)))
            # Fill up in large steps: a claim costs a round trip, however few it brings.
            return free + ahead if free + ahead > ahead // 4 else 0
