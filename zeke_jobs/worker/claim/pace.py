"""When a consumer looks for jobs again, and whom it asks to be rung for meanwhile."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from zeke_jobs.worker.claim.blocked import ANY, LACKS_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker.claim.notifier import Bells

_POLL = 2.0  # seconds, times the queues of this process: the backstop of an idle consumer
_POLL_ALONE = 1.0  # seconds; where no bell rings
_SOON = (0.02, 0.2)  # seconds; looks that follow when a consumer has just become idle
_SOONEST = 0.01  # seconds until the next look where a rate lets the next job through
_BUSY_AFTER = 1.0  # seconds of full claims, and senders need not ring any more


@dataclass(frozen=True)
class Waits:
    """What a consumer lets others know: the events to ring it for.

    Attributes:
        idle: A new job of the queue.
        limited: The end of a job that was counted under a limit of these tasks: it held something back.
    """

    idle: bool = False
    limited: frozenset[str] = frozenset()


class Pace:
    """Of one queue's consumer.

    Attributes:
        said: What the database was told last.
    """

    def __init__(self) -> None:
        self.said = Waits()
        self._held_on: dict[str, float] = {}  # when tasks were last found to be held back by limits
        self._looks = 0  # claims in a row that brought less than was asked for, since idle was said
        self._dry_since = 0.0
        self._patience = self._until_due = _POLL
        self._owes_look = False

    def wait(self, bells: Bells, queue: str) -> None:
        """Return when it is time to look: at once after a full claim, else when the bell rings or after a while."""
        if self._looks and not self._owes_look:
            rang = bells.wait(queue, self._patience)
            self._owes_look = True  # even if there is no room just now: the bell rings once
            # The job that woke us may still be locked by its sender: if nothing is found, the next looks come soon.
            self._looks = 1 if rang else self._looks

    def asks_for_next_due(self) -> bool:
        """Whether the look that begins is one of an idle consumer, who wants to know when the next delayed job is due."""
        return self._looks >= len(_SOON)

    def looks_on(self, bells: Bells, queues: int, seconds: float | None = None) -> None:
        """Look again in so many seconds, when a rate opens or a job is due; in any case after a while."""
        # Where no bell rings, each queue is looked at each second, so that a resume and a send are noticed in time.
        # Else not all queues at once: each would need a connection.
        self._until_due = _POLL * queues * random.uniform(0.8, 1.2) if bells.are_rung else _POLL_ALONE  # noqa: S311 (no secrets)
        if seconds is not None:
            # Not at once again, however fast a rate lets jobs through.
            self._until_due = max(_SOONEST, min(seconds, self._until_due))

    def looked(self, held: Iterable[str], *, is_full: bool) -> Waits:
        """A look has ended: what to let others know now.

        Args:
            held: The tasks of which it found more than it could claim.
            is_full: It brought all that was asked for.
        """
        self._owes_look = False
        now = time.monotonic()
        # Limits let something through every now and then: not said anew each time.
        self._held_on = {task: on for task, on in self._held_on.items() if now - on < _BUSY_AFTER}
        self._held_on |= {task: now for task in held if task not in (ANY, LACKS_THREAD)}
        if is_full:
            self._looks = 0
            return Waits() if now - self._dry_since > _BUSY_AFTER else self.said
        self._dry_since = now
        waits = Waits(idle=True, limited=frozenset(self._held_on))
        # Once it is said, look again before waiting, and twice more soon after: a send or an end that was under way may have seen
        # nobody to ring for.
        self._looks = self._looks + 1 if waits == self.said else 0
        if self._looks:
            soon = _SOON[self._looks - 1] if self._looks <= len(_SOON) else self._until_due
            self._patience = min(soon, self._until_due)
        return waits


def seconds_until(due: str, now: datetime) -> float:
    """Seconds from one time of the server's clock to another; infinite for one beyond Python's calendar."""
    try:
        return (datetime.fromisoformat(due) - now).total_seconds()
    except ValueError:
        return math.inf  # the database refuses such a row
