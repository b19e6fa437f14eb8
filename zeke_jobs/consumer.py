"""Takes jobs of one queue for this process: as many as will start soon, and none when it is told to stop."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from dramatiq.broker import Consumer
from dramatiq.errors import ConnectionError as BrokerConnectionError

from zeke_jobs.claims import JobMessage
from zeke_jobs.outcome import RETURNED, Settled, of_exception
from zeke_jobs.postgres import DISCONNECTED
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zeke_jobs.worker_process import WorkerProcess

_BUSY_LOOK = 0.2  # seconds; how long a full process waits for one of its threads at most
_POLL = 1.0  # seconds; the backstop of an idle consumer


class JobConsumer(Consumer):  # type: ignore[misc] # dramatiq has no types
    """Dramatiq asks it for one message after another, in a thread of its own, and acknowledges from the worker threads."""

    def __init__(self, process: WorkerProcess, queue: str) -> None:
        self._process = process
        self._queue = queue
        self._buffer: deque[JobMessage] = deque()
        self._says_idle = False

    def __next__(self) -> JobMessage | None:
        """The next claimed job, or None after waiting a moment.

        Raises:
            dramatiq.errors.ConnectionError: the database is away; dramatiq comes back later.
        """
        if self._buffer:
            return self._buffer.popleft()
        try:
            self._fill()
        except DISCONNECTED as error:
            self._process.pool.drop_idle()
            self._says_idle = False
            raise BrokerConnectionError(str(error).strip()) from error
        return self._buffer.popleft() if self._buffer else None

    def _fill(self) -> None:
        process = self._process
        want = process.room()
        if want <= 0:
            process.held.wait_for_change(_BUSY_LOOK)
            return
        statement = "job_claim_alone" if process.alone else "job_claim"
        with process.pool.connection() as conn:
            rows = SQL.all(
                conn,
                statement,
                worker=process.id,
                queue=self._queue,
                tasks=process.tasks(),
                **({} if process.alone else {"want": want}),
            )
            if rows:
                self._accept(rows)
                self._say_idle(conn, idle=False)
                return
            if not self._says_idle:
                # Say it first and look once more: a send in between may have seen nobody to ring for.
                self._say_idle(conn, idle=True)
                return
            due = SQL.one(conn, "queue_next_due", queue=self._queue, tasks=process.tasks())
        seconds = _POLL * len(process.queues) if due is None or due["seconds"] is None else due["seconds"]
        process.doorbell.wait(self._queue, max(0.0, min(seconds, _POLL * len(process.queues))))

    def _accept(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            message = JobMessage(row, self._queue)
            if self._process.held.add(message.claim):
                self._process.load.take()
                self._buffer.append(message)
            # else: the server forgot an earlier claim in a crash; that run goes on and finishes under the new number.

    def _say_idle(self, conn: Any, *, idle: bool) -> None:
        if self._says_idle != idle:
            SQL.run(conn, "worker_idle", worker=self._process.id, idle=idle)
            self._says_idle = idle

    def ack(self, message: JobMessage) -> None:
        """Give the outcome to the settler; called in the worker's thread."""
        outcome = message.outcome
        if outcome is None:
            # Dramatiq stopped between its hooks: an interrupt that came a moment too late, a middleware that failed.
            error = getattr(message, "_exception", None) or RuntimeError("the job was not run")
            outcome = of_exception(error, self._process.policy(message.claim.task), retries=0)
        self._process.work_done(message.claim)
        if isinstance(outcome, Settled):
            self._process.held.discard(message.claim)
        else:
            self._process.settler.put(message.claim, outcome)

    nack = ack

    def requeue(self, messages: Iterable[JobMessage]) -> None:
        """Hand back what was claimed and not started, as at a shutdown."""
        for message in messages:
            self._process.work_done(message.claim)
            self._process.settler.put(message.claim, RETURNED)

    def close(self) -> None:
        """Hand back what dramatiq did not take."""
        messages, self._buffer = list(self._buffer), deque()
        self.requeue(messages)
