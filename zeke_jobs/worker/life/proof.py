"""A process's proof of life: whether others may have rescued its jobs, and whether it may have unknown claims."""

from zeke_jobs.worker.claim.claims import Claim, clock

BEATS_TO_LOSS = 4  # missed heartbeats after which a process counts as lost: 20 s by default
_ANSWER_WITHIN = 60.0  # seconds in which a claim may still succeed after its answer was lost


class ProofOfLife:
    """The heartbeat updates it, and all other threads read it. All times are values of ``clock``."""

    def __init__(self, every: float) -> None:
        self.every = every  # seconds between heartbeats
        self.lost_after = every * BEATS_TO_LOSS  # seconds without a heartbeat after which other processes take its jobs
        self._proved = self._alive_since = clock()
        self._unknown_until = 0.0

    def proved(self, sent: float) -> None:
        """Record that a heartbeat sent at this time succeeded."""
        self._proved = sent

    def registered_again(self) -> None:
        """Record that this process, which counted as dead, has registered again: claims from now on are valid."""
        self._alive_since = clock()

    def is_fresh(self) -> bool:
        """Whether the last heartbeat is too recent for any process to have rescued our jobs."""
        return clock() - self._proved < self.lost_after

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still ours: no process can have rescued our jobs since we asked for it."""
        return self.is_fresh() and claim.asked >= self._alive_since

    def answer_lost(self) -> None:
        """Record that the answer to a claim was lost: the database may have given us jobs that we do not know."""
        self._unknown_until = clock() + _ANSWER_WITHIN

    def may_hold_unknown_claims(self) -> bool:
        """Whether an answer was lost so recently."""
        return clock() < self._unknown_until
