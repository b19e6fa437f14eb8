"""Takes jobs of one queue for this process: as many as will start soon, and none when it is told to stop."""

from __future__ import annotations

import random
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import psycopg2
from dramatiq.broker import Consumer

from zeke_jobs.claims import JobMessage
from zeke_jobs.endings import columns
from zeke_jobs.logs import get_logger
from zeke_jobs.outcome import RETURNED, Completed, Ended, Settled, of_exception
from zeke_jobs.postgres import is_away
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker_process import WorkerProcess

_BUSY_LOOK = 0.2  # seconds; how long a full process waits for one of its threads at most
_POLL = 2.0  # seconds, times the queues of this process: the backstop of an idle consumer
_POLL_ALONE = 1.0  # seconds; where no bell rings
_SOON = (0.02, 0.2)  # seconds; looks that follow when a consumer has just become idle
_STILL_ENDING = Ended("deferred", delay=1.0, reason="an earlier run of this job still ends in the same process")
_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts while the database is away
_BUSY_AFTER = 1.0  # seconds of full claims, and senders need not ring any more


class JobConsumer(Consumer):  # type: ignore[misc] # dramatiq has no types
    """Dramatiq asks it for one message after another, in a thread of its own, and acknowledges from the worker threads."""

    def __init__(self, process: WorkerProcess, queue: str) -> None:
        self._process = process
        self._queue = queue
        self._buffer: deque[JobMessage] = deque()
        self._says_idle = False
        self._looks = 0  # claims in a row that brought less than was asked for, since idle was said
        self._dry_since = 0.0
        self._patience = _POLL
        self._until_due = _POLL
        self._owes_look = False
        self._asked = 0.0
        self._pause = _PAUSE
        self._log = get_logger("zeke_jobs.consumer")

    def __next__(self) -> JobMessage | None:
        """The next claimed job, or None after waiting a moment, as while the database is away."""
        if self._buffer:
            return self._buffer.popleft()
        try:
            self._fill()
        except psycopg2.Error as error:
            if not is_away(error):
                raise
            # Waited out here: dramatiq, told of it, would take three seconds to come back.
            self._log.warning("no claims: the database is away", queue=self._queue, error=str(error).strip())
            self._process.pool.drop_idle()
            self._process.handler_pool.drop_idle()
            self._process.heartbeat.doubt_claims()
            self._says_idle = False
            self._process.held.wait_for_change(self._pause)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            return None
        self._pause = _PAUSE
        return self._buffer.popleft() if self._buffer else None

    def _fill(self) -> None:
        process = self._process
        if self._looks and not self._owes_look:
            rang = process.doorbell.wait(self._queue, self._patience)
            self._owes_look = True  # even if there is no room just now: the bell rings once
            # What rang may still be locked by its sender: if nothing is found, the next looks come soon.
            self._looks = 1 if rang else self._looks
        alone = process.alone
        with process.turns.turn(process.room(), alone=alone) as want:
            if want > 0:
                with process.pool.connection() as conn:
                    self._look(conn, want, alone=alone)
                return
        process.held.wait_for_change(_BUSY_LOOK)

    def _look(self, conn: Connection, want: int, *, alone: bool) -> None:
        self._asked = time.monotonic()
        rows = self._claim_alone(conn) if alone else self._claim(conn, want)
        self._owes_look = False
        self._accept(rows)
        dry = len(rows) < want
        # Once idle is said, look again before waiting, and twice more soon after: a send that was under way may have seen
        # nobody to ring for.
        self._looks = self._looks + 1 if dry and self._says_idle else 0
        if self._looks:
            self._patience = _SOON[self._looks - 1] if self._looks <= len(_SOON) else self._until_due
        if dry:
            self._dry_since = time.monotonic()
            self._say_idle(conn, idle=True)
        elif time.monotonic() - self._dry_since > _BUSY_AFTER:
            self._say_idle(conn, idle=False)

    def _longest_wait(self) -> float:
        # Where no bell rings, each queue is looked at each second, so that a resume and a send are noticed in time.
        if not self._process.doorbell.listens:
            return _POLL_ALONE
        # Not all queues at once: each would need a connection.
        return _POLL * len(self._process.queues) * random.uniform(0.8, 1.2)  # noqa: S311 (no secrets)

    def _claim(self, conn: Connection, want: int) -> list[tuple[Any, ...]]:
        process = self._process
        completions = process.settler.take_completions()
        common = {
            "worker": process.id,
            "queue": self._queue,
            "tasks": process.tasks(),
            "want": want,
            "free": process.load.free(),
            "threads": process.load.threads,
            "short": process.load.short(),
        }
        if not completions:
            rows = SQL.rows(conn, "job_claim", **common, ask=self._looks >= len(_SOON))
            self._until_due = self._longest_wait()
            if rows and rows[0][0] is None:
                due = rows.pop()[-1]
                self._until_due = self._until_due if due is None else max(0.0, min(due, self._until_due))
            return rows
        try:
            rows = SQL.rows(conn, "job_complete_and_claim", **common, **columns(completions))
        except (psycopg2.Error, ValueError) as error:
            process.settler.put_back(completions)
            if is_away(error):
                raise
            # An output that Postgres cannot store: the settler finds out which, and says so in its job.
            return []
        process.settler.flush_soon(completions, [job for job, number, *_ in rows if not number])
        return [row for row in rows if row[1]]

    def _claim_alone(self, conn: Connection) -> list[tuple[Any, ...]]:
        process = self._process
        return SQL.rows(conn, "job_claim_alone", worker=process.id, queue=self._queue, tasks=process.tasks())

    def _accept(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            message = JobMessage(row, self._queue, self._asked)
            held = self._process.held.add(message.claim)
            if held is message.claim:
                self._process.load.take(message.claim)
                self._buffer.append(message)
            elif held.number != message.claim.number:
                # It was rescued from us and came back while its earlier run still ends here.
                self._process.settler.put(message.claim, _STILL_ENDING)
            # else: the server forgot the claim in a crash; that run goes on, and the number is the same again.

    def _say_idle(self, conn: Connection, *, idle: bool) -> None:
        if self._says_idle != idle:
            if self._process.doorbell.listens:
                SQL.run(conn, "worker_idle", worker=self._process.id, idle=idle)
            self._says_idle = idle

    def ack(self, message: JobMessage) -> None:
        """Give the outcome to the settler; called in the worker's thread."""
        if message.claim.ended:
            return  # handed back before it started
        if message.claim.given_up:
            self._process.work_done(
                message.claim
            )  # its end was written when its thread took no notice; the thread is back
            self._process.stuck -= 1
            return
        outcome = message.outcome
        if outcome is None:
            # Dramatiq stopped between its hooks: a payload with a key `self`, a middleware that failed, an interrupt that came
            # a moment too late. It counts as a start: what never counts would be tried for ever.
            claim = message.claim
            if claim.started is None and not self._process.load.start(claim):
                return  # handed back just now
            error = getattr(message, "_exception", None) or RuntimeError("the job was not run")
            retries = claim.attempt - claim.attempt_base
            outcome = of_exception(error, self._process.policy(claim.task), retries=retries)
        self._process.work_done(message.claim)
        if isinstance(outcome, Settled):
            self._process.settler.written([(message.claim, Completed())])
        else:
            self._process.settler.put(message.claim, outcome)
        if not self._process.load.waiting():
            # The consumer may be waiting for a limit that this frees, and takes the completion along. Not before the threads
            # have nothing left to begin: a claim costs the same for one job as for many.
            self._process.doorbell.ring(self._queue)

    nack = ack

    def requeue(self, messages: Iterable[JobMessage]) -> None:
        """Hand back what was claimed and not started, as at a shutdown."""
        for message in messages:
            if not message.claim.ended:
                self._process.work_done(message.claim)
                self._process.settler.put(message.claim, RETURNED)

    def close(self) -> None:
        """Hand back what dramatiq did not take."""
        messages, self._buffer = list(self._buffer), deque()
        self.requeue(messages)
