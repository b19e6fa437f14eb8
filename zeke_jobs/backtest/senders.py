"""Jobs that send into bounded queues: a full queue ends their attempt, and cancels its later events."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zeke_jobs.backtest.workload import FollowUp, Workload

#: Seconds until a job that met a full queue runs again, as with ``ctx.send``.
WAIT_WHEN_FULL = 30.0


class Senders:
    """The jobs whose follow-ups may meet a full queue.

    Args:
        workload: The jobs.
        is_bounded: Whether a job's queue is bounded.

    Attributes:
        void: Numbers of events that will not take place.
    """

    def __init__(self, workload: Workload, is_bounded: Callable[[int], bool]) -> None:
        self.void: set[int] = set()
        self._follow_ups = {
            sender: many
            for sender, many in workload.follow_ups.items()
            if any(is_bounded(follow_up.job) for follow_up in many)
        }
        self._of = {follow_up.job: sender for sender, many in self._follow_ups.items() for follow_up in many}
        self._sent: set[int] = set()
        self._running: dict[int, tuple[float, list[int]]] = {}

    def __contains__(self, job: int) -> bool:
        return job in self._follow_ups

    def to_send(self, sender: int, attempt: int) -> Iterator[FollowUp]:
        """The jobs that an attempt of a sender still has to send."""
        return (one for one in self._follow_ups[sender] if one.attempt == attempt and one.job not in self._sent)

    def started(self, sender: int, until: float, events: list[int]) -> None:
        """Note that a sender's attempt has begun, with the time of its end and the numbers of its events."""
        self._running[sender] = until, events

    def ended(self, sender: int) -> None:
        """Note that a sender's attempt has ended."""
        self._running.pop(sender, None)

    def sends(self, job: int) -> None:
        """Note that a job is sent; only a full queue makes its sender send it again."""
        if job in self._of:
            self._sent.add(job)

    def cut(self, job: int) -> tuple[int, float] | None:
        """A job met a full queue: the sender whose attempt ends here, and its planned end; None if no sender runs."""
        sender = self._of.get(job)
        if sender is None or sender not in self._running:
            return None
        self._sent.discard(job)
        until, events = self._running.pop(sender)
        self.void.update(events)
        return sender, until
