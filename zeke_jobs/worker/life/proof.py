"""Whether a process lives: for the others, which rescue the jobs of lost ones, and for a container's probes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from zeke_jobs.postgres import pool
from zeke_jobs.worker.claim.claims import Claim, clock

if TYPE_CHECKING:
    from threading import Thread

    from zeke_jobs.worker.claim.producer import Producer
    from zeke_jobs.worker.life.heartbeat import Heartbeat

BEATS_TO_LOSS = 4  # missed heartbeats after which a process counts as lost: 20 s by default
_ANSWER_WITHIN = 60.0  # seconds in which a claim may still succeed after its answer was lost

_STUCK_AFTER = 30.0  # seconds; each turn of either loop takes at most 3, unless it waits for the database
_DATABASE = str(Path(pool.__file__).parent)


class ProofOfLife:
    """Updated by the heartbeat, read by all other threads. Its time is that of ``clock``."""

    def __init__(self, every: float) -> None:
        self.every = every  # seconds between heartbeats
        self.lost_after = every * BEATS_TO_LOSS  # seconds without a heartbeat after which others take the jobs
        self._proved = self._alive_since = clock()
        self._unknown_until = 0.0

    def proved(self, sent: float) -> None:
        """A heartbeat sent at this time has succeeded."""
        self._proved = sent

    def registered_again(self) -> None:
        """Others took this process for dead, and it has registered again: its next claims are valid."""
        self._alive_since = clock()

    def is_fresh(self) -> bool:
        """Whether the last heartbeat is too recent for any process to have rescued our jobs."""
        return clock() - self._proved < self.lost_after

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still ours: no process can have rescued our jobs since we asked for it."""
        return self.is_fresh() and claim.asked >= self._alive_since

    def answer_lost(self) -> None:
        """The answer to a claim was lost: the database may have given us jobs that we do not know."""
        self._unknown_until = clock() + _ANSWER_WITHIN

    def may_hold_unknown_claims(self) -> bool:
        """Whether the database may have given us jobs that we do not know."""
        return clock() < self._unknown_until


def faults(producer: Producer, heartbeat: Heartbeat) -> tuple[str, str]:
    """Why the process makes no progress, and why it can do no work now; each text is empty if it does.

    A database that is away, or a lock that a claim waits for, is no lack of progress: a restart would not help.
    """
    process = producer.process
    if not process.is_booted:
        return "", "waits for the database"
    if process.stopping:
        return "", "is stopping"
    loops = (
        ("heartbeat", heartbeat.thread, heartbeat.turned),
        ("producer", producer.thread, producer.turned),
    )
    stuck = "; ".join(why for name, thread, turned in loops if (why := _stuck(name, thread, turned)))
    if heartbeat.is_away:
        return stuck, "waits for the database"
    return stuck, "" if process.proof.is_fresh() else "no heartbeat has reached the database for too long"


def _stuck(name: str, thread: Thread, turned: float) -> str:
    if not thread.is_alive():
        return f"its thread {name} has ended"
    still = time.monotonic() - turned
    return f"its thread {name} has stood still for {still:.0f} s" if still > _STUCK_AFTER and not _asks(thread) else ""


def _asks(thread: Thread) -> bool:
    """Whether the thread is inside a call to the database."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 (made for finding deadlocks)
    while frame is not None and not frame.f_code.co_filename.startswith(_DATABASE):
        frame = frame.f_back
    return frame is not None
