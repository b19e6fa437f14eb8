"""Keeps a process's proof of life: whether others may have rescued its jobs, and whether it may have unknown claims."""

from zeke_jobs.worker.claim.claims import Claim, clock

BEATS_TO_LOSS = 4  # missed heartbeats after which a process counts as lost: 20 s by default
_ANSWER_WITHIN = 60.0  # seconds in which a claim may still succeed after its answer was lost


class ProofOfLife:
    """Keeps times of heartbeats, as values of ``clock``. Only the heartbeat updates them. All other threads read them."""

    def __init__(self, every: float) -> None:
        self.every = every  # seconds between heartbeats
        self.lost_after = every * BEATS_TO_LOSS  # seconds without a heartbeat after which other processes take its jobs
        self._proved = self._alive_since = clock()
        self._unknown_until = 0.0

    def proved(self, sent: float) -> None:
        """Record that a heartbeat succeeded that was sent at this time."""
        self._proved = sent

    def registered_again(self) -> None:
        """Record that this process, which counted as dead, has registered again. Claims from now on are valid."""
        self._alive_since = clock()

    def is_fresh(self) -> bool:
        """Return whether the last heartbeat is too recent for any process to have rescued this process's jobs."""
        return clock() - self._proved < self.lost_after

    def holds(self, claim: Claim) -> bool:
        """Return whether this process still holds the claim: nobody can have rescued its jobs since it asked for the claim."""
        return self.is_fresh() and claim.asked >= self._alive_since

    def answer_lost(self) -> None:
        """Record that the answer to a claim was lost. The database may have given this process jobs that it does not know."""
        self._unknown_until = clock() + _ANSWER_WITHIN

    def may_hold_unknown_claims(self) -> bool:
        """Return whether an answer was lost so recently that the process may hold unknown claims."""
        return clock() < self._unknown_until
