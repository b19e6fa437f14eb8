"""Tells whether other processes may have taken this process's jobs, and whether it may hold jobs unknown to it."""

from zeke_jobs.worker.claim.claims import Claim, clock

BEATS_TO_LOSS = 4  # missed heartbeats after which a process counts as lost: 20 s by default
_ANSWER_WITHIN = 60.0  # seconds in which a claim may still succeed after its result was lost


class ProofOfLife:
    """Keeps the times of heartbeats (set only by the heartbeat's thread) and of claims without an answer."""

    def __init__(self, every: float) -> None:
        self.every = every  # seconds between heartbeats
        self.lost_after = every * BEATS_TO_LOSS  # seconds without a heartbeat after which other processes take its jobs
        self._proved = self._alive_since = clock()
        self._unknown_until = 0.0

    def proved(self, sent: float) -> None:
        """Record that the heartbeat that was sent at this time has succeeded."""
        self._proved = sent

    def registered_again(self) -> None:
        """Record that this process was declared lost and has registered again. Only claims from now on are valid."""
        self._alive_since = clock()

    def is_fresh(self) -> bool:
        """Return whether the last heartbeat is so recent that no other process can have taken this process's jobs."""
        return clock() - self._proved < self.lost_after

    def holds(self, claim: Claim) -> bool:
        """Return whether the claim is valid: others cannot have declared this process lost since it asked for jobs."""
        return self.is_fresh() and claim.asked >= self._alive_since

    def answer_lost(self) -> None:
        """Record that a claim's result was lost: the claim may have succeeded without this process's knowledge."""
        self._unknown_until = clock() + _ANSWER_WITHIN

    def may_hold_unknown_claims(self) -> bool:
        """Return whether a claim may recently have succeeded without this process's knowledge."""
        return clock() < self._unknown_until
