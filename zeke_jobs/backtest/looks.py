"""When an idle worker looks for jobs that nobody rings for: a rate that lets the next one through rings no bell."""

from __future__ import annotations

from math import ceil

#: Seconds until an idle consumer that was rung for looks again, and between the looks that follow, times its queues
#: (zeke_jobs.consumer; a test holds them together).
SOON, POLL = 0.2, 2.0
NEVER = float("inf")


_SAME = 1e-6  # seconds; sums of floating point numbers differ so much


class Looks:
    """Remembers when the bell last rang, for all workers at once, and when a rate is known to let a job through."""

    def __init__(self, queues: int) -> None:
        self._pause = POLL * max(1, queues)
        self._rung = 0.0
        self._planned = NEVER
        self._looking = False

    def plan(self, opens: float) -> bool:
        """A rate lets a job through at ``opens``. Answers whether somebody must ask ``await_look`` then."""
        if opens >= self._planned:
            return False
        self._planned = opens
        return True

    def await_look(self, now: float) -> float | None:
        """When the next look is; None where it is now, and a claim follows."""
        self._planned = NEVER
        first = self._rung + SOON
        look = first if now <= first else first + self._pause * ceil((now - first - _SAME) / self._pause)
        if look > now + _SAME:
            self._planned = look
            return look
        self._looking = True
        return None

    def claimed(self, now: float) -> None:
        """There was a claim, in a look or for something that rang."""
        if not self._looking:
            self._rung = now
        self._looking = False
