"""Dramatiq's view of a queue: the producer claims, and the worker threads acknowledge here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dramatiq.broker import Consumer

from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Settled, failed_by_middleware, of_exception

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker.claim.claims import JobMessage
    from zeke_jobs.worker.claim.producer import Producer
    from zeke_jobs.worker.finish.outcome import Outcome

_LOOK = 0.05  # seconds after which dramatiq's thread checks again whether it may end


class JobConsumer(Consumer):  # type: ignore[misc] # dramatiq has no types
    """Has no messages for dramatiq's thread, because the producer gives them to the worker threads.

    Args:
        producer: The producer of the process.
        timeout: Milliseconds after which dramatiq's thread checks whether it may end.
    """

    def __init__(self, producer: Producer, timeout: int) -> None:
        self._producer, self._process = producer, producer.process
        self._timeout = timeout / 1000

    def __next__(self) -> None:
        """Return nothing, after the timeout."""
        if self._process.stop_begun.wait(self._timeout):
            time.sleep(_LOOK)

    def ack(self, message: JobMessage) -> None:
        """Give the outcomes of a message's jobs to the completer. The worker's thread calls it."""
        process = self._process
        outcomes = [outcome for one in message.members if (outcome := self._end(one, message)) is not None]
        if not outcomes:
            self._producer.freed(set())
            return  # handed back before it started, or given up: its end is recorded and its thread is free
        process.completer.wait_for_room()
        # The next look writes completed jobs with its claim. A statement for one job costs as much as for many, so none is sent
        # while a job waits for a thread. Other outcomes make room when the completer has written them.
        rides = all(isinstance(one, Completed | Settled) for one in outcomes)
        looks = self._producer.freed({message.claim.task} if rides else set())
        if not (rides and (looks or process.held.waiting())):
            process.completer.write_now()

    nack = ack

    def _end(self, one: JobMessage, message: JobMessage) -> Outcome | None:
        """End a job of the message, and return its outcome; None if it had ended before."""
        claim, process, outcome = one.claim, self._process, one.outcome
        if outcome is None and (claim.started is not None or process.held.start(claim)):
            # Dramatiq stopped between its hooks: a payload has a key `self`, a middleware failed, or an interrupt came late.
            # Count this as a start; otherwise the job would be tried again for ever.
            error = getattr(message, "_exception", None) or RuntimeError("the job was not run")
            outcome = of_exception(error, process.policy(claim), retries=claim.retries)
        if message.failed:
            outcome = failed_by_middleware(outcome)
        return outcome or RETURNED if process.settle(claim, outcome or RETURNED) else None

    def requeue(self, messages: Iterable[JobMessage]) -> None:
        """Hand back the jobs that have not started, because the process stops."""
        for message in messages:
            for one in message.members:
                self._process.settle(one.claim, RETURNED, unstarted=True)
