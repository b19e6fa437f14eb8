"""Lets dramatiq's threads acknowledge claimed jobs, and lets dramatiq read the results of jobs."""

import time
from collections.abc import Iterable
from typing import Any

from dramatiq.broker import Consumer
from dramatiq.message import Message
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing, ResultTimeout

from zeke_jobs.client import reading
from zeke_jobs.client.options import as_id
from zeke_jobs.errors import JobFailed, JobNotFound, WaitTimeout
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.finish.outcome import DONE, RETURNED, Outcome, failed_by_middleware, of_exception

_DEFAULT_TIMEOUT = 10_000  # milliseconds; the same as in dramatiq
_LOOK = 0.05  # seconds between the checks of dramatiq's thread whether the thread may end


class JobConsumer(Consumer):  # type: ignore[misc] # dramatiq has no types
    """Gives dramatiq no messages, because the producer passes jobs to the threads. ``timeout`` is in milliseconds."""

    def __init__(self, producer: Producer, timeout: int) -> None:
        self._producer, self._process = producer, producer.process
        self._timeout = timeout / 1000

    def __next__(self) -> None:
        """Return None after the timeout."""
        if self._process.stop_begun.wait(self._timeout):
            time.sleep(_LOOK)

    def ack(self, message: JobMessage) -> None:
        """Give the outcomes of a message's jobs to the completer. The thread that ran the jobs calls this method."""
        process = self._process
        outcomes = [outcome for one in message.members if (outcome := self._end(one, message)) is not None]
        if not outcomes:
            self._producer.freed(set())
            return  # all jobs went back into the queue before they started, or were given up, which is recorded
        process.completer.wait_for_room()
        # If a claim or other outcomes follow soon, write completed jobs with them, because one statement writes many
        # outcomes as fast as one. Write all other outcomes at once, because other jobs may then start.
        rides = all(one.how in DONE for one in outcomes)
        looks = self._producer.freed({message.claim.task} if rides else set())
        if not (rides and (looks or process.held.waiting())):
            process.completer.write_now()

    nack = ack

    def _end(self, one: JobMessage, message: JobMessage) -> Outcome | None:
        """End the job ``one``, which is ``message`` or in its chunk. Returns its outcome, or None if it had ended."""
        claim, process, outcome = one.claim, self._process, one.outcome
        if outcome is None and (claim.started is not None or process.held.start(claim)):
            # The attempt set no outcome, for example because its payload has a key `self`, a middleware failed, or an
            # interrupt came late. Count the attempt, because otherwise the job would be tried again for ever.
            error = getattr(message, "_exception", None) or RuntimeError("the job was not run")
            outcome = of_exception(error, process.runtime.policy(claim), retries=claim.retries)
        if message.failed:
            outcome = failed_by_middleware(outcome)
        return outcome or RETURNED if process.settle(claim, outcome or RETURNED) else None

    def requeue(self, messages: Iterable[JobMessage]) -> None:
        """Put the jobs that have not started back into the queue, because the worker process stops."""
        for message in messages:
            for one in message.members:
                self._process.settle(one.claim, RETURNED, unstarted=True)


class JobResultBackend(ResultBackend):  # type: ignore[misc] # dramatiq has no types
    """Reads the outputs of jobs from their rows in the database. The class stores nothing itself."""

    def store_result(self, message: Message, result: Any, ttl: int) -> None:
        """Do nothing, because the completer writes the output with the job's outcome."""

    store_exception = store_result

    def get_result(self, message: Message, *, block: bool = False, timeout: int | None = None) -> Any:
        """Return the output of a message's job. ``timeout`` is in milliseconds, by default ten seconds.

        Raises:
            dramatiq.results.ResultMissing: the job has not ended, and ``block`` is False.
            dramatiq.results.ResultTimeout: the job did not end in time. dramatiq.results.ResultFailure: the job failed
            or was cancelled.
        """
        within = (_DEFAULT_TIMEOUT if timeout is None else timeout) if block else 0
        try:
            return reading.wait(as_id("message_id", message.message_id), within / 1000)
        except (JobNotFound, WaitTimeout) as error:
            is_late = block and isinstance(error, WaitTimeout)
            raise (ResultTimeout if is_late else ResultMissing)(message) from error
        except JobFailed as error:
            failure = error.job.error or {}
            raise ResultFailure(str(error), failure.get("type", error.job.status), failure.get("message", "")) from None
