"""What a process knows of its own life: whether others can have taken its jobs, and whether it may have some unknown to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeke_jobs.worker.claim.claims import Claim

BEATS_TO_LOSS = 4  # heartbeats missed, and a process counts as lost
_DOUBT = 60.0  # seconds in which a claim whose answer was lost may still come about


class ProofOfLife:
    """The heartbeat keeps it; all others ask. Time here is monotonic.

    Attributes:
        every: Seconds between heartbeats.
        lost_after: Seconds without one after which others take the jobs.
        is_due: A heartbeat is wanted at the next tick.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self.lost_after = every * BEATS_TO_LOSS
        self.is_due = False
        self._proved = self._alive_since = time.monotonic()
        self._doubt_until = 0.0

    def proved(self, sent: float) -> None:
        """A heartbeat that was sent then has come through."""
        self._proved = sent

    def begin_anew(self) -> None:
        """Others took this process for dead; its next claims are its own again."""
        self._alive_since = time.monotonic()

    def is_fresh(self) -> bool:
        """Whether the last heartbeat is so recent that nobody can have rescued our jobs."""
        return time.monotonic() - self._proved < self.lost_after

    def holds(self, claim: Claim) -> bool:
        """Whether a claim can still be ours: nobody can have rescued it, and nobody has."""
        return self.is_fresh() and claim.asked >= self._alive_since

    def doubt(self) -> None:
        """The answer to a claim was lost: the database may have given us jobs that we do not know of."""
        self._doubt_until = time.monotonic() + _DOUBT

    def is_in_doubt(self) -> bool:
        """Whether the database may have given us jobs that we do not know of."""
        return time.monotonic() < self._doubt_until
