"""Decides when a consumer looks for jobs again, and which events wake it before."""

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

    from zeke_jobs.worker.claim.notifier import WakeUps

_POLL = 2.0  # seconds, times the number of this process's queues; an idle consumer looks at least this often
_POLL_ALONE = 1.0  # seconds; the same where no notifications arrive
_SOON = (0.02, 0.2)  # seconds before the two extra looks of a consumer that has just become idle
_SOONEST = 0.005  # seconds; the shortest wait for a rate's next start
_BUSY_AFTER = 1.0  # seconds of full claims after which senders need not notify any more


@dataclass(frozen=True)
class Waits:
    """The events that a consumer asks to be notified of.

    Attributes:
        idle: A new job of the queue.
        limited: The end of a job that counts under a limit of these tasks, because a limit holds some of their jobs back.
    """

    idle: bool = False
    limited: frozenset[str] = frozenset()

    def __le__(self, other: Waits) -> bool:
        return self.idle <= other.idle and self.limited <= other.limited


class Pace:
    """The pace of one queue's consumer.

    Attributes:
        reported: The events last written to the database.
    """

    def __init__(self) -> None:
        self.reported = Waits()
        self._blocked_on: dict[str, float] = {}  # by task: when a look last found it blocked
        self._looks = 0  # looks in a row that brought less than asked for, since idle was written
        self._not_full_since = 0.0
        self._next_wait = self._until_due = _POLL
        self._look_is_due = False

    def wait(self, wake_ups: WakeUps, queue: str) -> None:
        """Wait until it is time to look: no wait after a full claim, else until a wake-up comes or some time has passed."""
        if self._looks and not self._look_is_due:
            wake_ups.wait(queue, self._next_wait)
            self._look_is_due = True  # even if the process has no room now, because the wake-up comes only once

    @property
    def is_idle(self) -> bool:
        """Whether the last look found less than it asked for, so that another one would find nothing but new jobs."""
        return self._looks > 0

    def asks_for_next_due(self) -> bool:
        """Whether the next look must ask when the next delayed job is due, because the consumer is idle."""
        return self._looks >= len(_SOON)

    def look_again_in(self, wake_ups: WakeUps, queues: int, seconds: float | None = None) -> None:
        """Look again in so many seconds, when a rate opens or a job is due, but after the polling interval at the latest."""
        # Without notifications, look at each queue every second, so that a send and a resume are noticed in time.
        # With them, spread the queues' looks: each of several looks at the same time needs its own connection.
        self._until_due = _POLL * queues * random.uniform(0.8, 1.2) if wake_ups.notifications_arrive else _POLL_ALONE  # noqa: S311 (no secrets)
        if seconds is not None:
            # Wait a little even if a rate lets jobs through very fast.
            self._until_due = max(_SOONEST, min(seconds, self._until_due))

    def look_ended(self, held: Iterable[str], *, is_full: bool) -> Waits:
        """A look has ended: return the events to be notified of from now on.

        Args:
            held: The tasks that had more due jobs than it could claim.
            is_full: It brought all the jobs that were asked for.
        """
        self._look_is_due = False
        now = time.monotonic()
        # A limit lets a job through now and then. Keep its task listed for a while all the same, to save writes.
        self._blocked_on = {task: on for task, on in self._blocked_on.items() if now - on < _BUSY_AFTER}
        self._blocked_on |= {task: now for task in held if task not in (ANY, LACKS_THREAD)}
        if is_full:
            self._looks = 0
            return Waits() if now - self._not_full_since > _BUSY_AFTER else self.reported
        self._not_full_since = now
        waits = Waits(idle=True, limited=frozenset(self._blocked_on))
        # Once these events are written, look again before waiting, and twice more soon after. A send or an end that was under way
        # may not have seen them, and then did not notify this process.
        self._looks = self._looks + 1 if waits <= self.reported else 0
        if self._looks:
            soon = _SOON[self._looks - 1] if self._looks <= len(_SOON) else math.inf
            self._next_wait = min(soon, self._until_due)
        return waits


def seconds_until(due: str, now: datetime) -> float:
    """Seconds from one time of the server's clock to another; infinite for one beyond Python's calendar."""
    try:
        return (datetime.fromisoformat(due) - now).total_seconds()
    except ValueError:
        return math.inf  # the database refuses such a row
