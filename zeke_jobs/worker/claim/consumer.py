"""Claims jobs of one queue for this process: as many as can start soon, and none once the process stops."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg2
from dramatiq.broker import Consumer

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.blocked import ANY, LACKS_THREAD
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.claim.pace import Pace, Waits, seconds_until
from zeke_jobs.worker.finish.outcome import RETURNED, Completed, Ended, failed_by_middleware, of_exception
from zeke_jobs.worker.finish.writer import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker.process import WorkerProcess

_BUSY_LOOK = 0.2  # seconds; the longest wait of a full process for a free thread
_STILL_ENDING = Ended("deferred", delay=1.0, reason="an earlier run of this job still ends in the same process")
_PAUSE, _LONGEST_PAUSE = 0.1, 1.0  # seconds between attempts while the database is away


class Header(NamedTuple):
    """The first row of ``job_complete_and_claim``; ``zeke_jobs.complete_and_claim`` describes it. The other rows are jobs."""

    lost: list[UUID]
    held_back: list[str]
    lacks_thread: bool
    looks_on: str | None
    began_on: datetime
    on_clock: datetime


HEADER_COLUMNS = len(Header._fields)


class JobConsumer(Consumer):  # type: ignore[misc] # dramatiq has no types
    """Dramatiq takes messages from it in a thread of its own, and acknowledges them in the worker threads."""

    def __init__(self, process: WorkerProcess, queue: str) -> None:
        self._process = process
        self._queue = queue
        self._buffer: deque[JobMessage] = deque()
        self._handed: JobMessage | None = None  # the last message given to dramatiq
        self._pace = Pace()
        self._reported_in = 0  # number of the process's registration when ``reported`` was written
        self._asked = 0.0
        self._began_on: datetime | None = None  # start of the last look by the server's clock
        self._pause = _PAUSE
        self._look_connection: Connection | None = None  # while a look is under way
        self._log = get_logger("zeke_jobs.consumer")

    def __next__(self) -> JobMessage | None:
        """The next claimed job; None after a short wait without one, as while the database is away."""
        if (message := self._next()) is not None:
            return message
        return self._next() if self._try_to_fill() else None

    def _next(self) -> JobMessage | None:
        self._handed = self._buffer.popleft() if self._buffer else None
        return self._handed

    def _try_to_fill(self) -> bool:
        """Claim jobs; False, after a short wait, when the database is away."""
        try:
            self._fill()
        except BaseException as error:
            self._answer_lost()
            if not isinstance(error, Exception):
                raise RuntimeError(f"a claim ended with {error!r}") from error  # noqa: TRY004 (dramatiq's thread would end by it)
            if not is_away(error):
                raise
            # We wait here, because dramatiq would pause for three seconds after an exception.
            self._log.warning("no claims: the database is away", queue=self._queue, error=str(error).strip())
            self._process.pool.drop_idle()
            self._process.handler_pool.drop_idle()
            self._pace.reported = Waits()
            self._process.held.wait_for_change(self._pause)
            self._pause = min(_LONGEST_PAUSE, self._pause * 2)
            return False
        self._pause = _PAUSE
        return True

    def _answer_lost(self) -> None:
        # After an error, the database may have given us jobs that we do not know, and may not know which slots we keep.
        self._process.proof.answer_lost()
        self._process.held.report_slots_again()

    def _fill(self) -> None:
        process = self._process
        self._pace.wait(process.wake_ups, self._queue)
        alone = process.alone
        with process.held.look(process.room(), alone=alone) as want:
            if want > 0:
                with process.pool.connection() as conn:
                    self._look_connection = conn
                    try:
                        self._look(conn, want, alone=alone)
                    finally:
                        self._look_connection = None
                return
        process.held.wait_for_change(_BUSY_LOOK)

    def _look(self, conn: Connection, want: int, *, alone: bool) -> None:
        self._asked = time.monotonic()
        self._process.wake_ups.cancel(self._queue)
        blocked = self._process.blocked
        blocked.look_began(self._queue)
        if self._reported_in != self._process.registrations:
            self._pace.reported, self._reported_in = Waits(), self._process.registrations
        rows, held = self._claim_alone(conn, want) if alone else self._claim(conn, want)
        self._accept(rows)
        if LACKS_THREAD not in held and not any(message.claim.long for message in self._buffer):
            blocked.no_long_job_found(self._queue)
        if blocked.look_ended(self._queue, held):
            self._process.wake_ups.wake(self._queue)
        if blocked.long_jobs_wait():
            self._process.hand_back(self._process.held.waiting_for_slot_since(math.inf))  # long jobs need the threads
        self._report(conn, self._pace.look_ended(held, is_full=len(rows) >= want))

    def _claim(self, conn: Connection, want: int) -> tuple[list[tuple[Any, ...]], Sequence[str]]:
        """The claimed jobs, and the tasks that have more due jobs than could be claimed."""
        process = self._process
        if process.runtime.quick:
            process.mark_started(conn, process.held.unmarked(0.0, process.runtime.quick))
        completions = process.completer.take_completions()
        free = process.held.free()
        try:
            kept = process.held.write(claim for claim, _ in completions)
            rows = SQL.rows(
                conn,
                "job/complete_and_claim",
                worker=process.id,
                **columns(completions),
                queue=self._queue,
                tasks=process.tasks(),
                want=want,
                free=free,
                threads=process.held.threads,
                ask=self._pace.asks_for_next_due(),
                **process.held.ahead_limits(process.short_tasks(), may_wait=not process.blocked.long_jobs_wait()),
                **kept.columns(),
            )
            self._log_breakers(conn)
            header, jobs = Header(*rows[0][:HEADER_COLUMNS]), [row[HEADER_COLUMNS:] for row in rows[1:]]
            self._began_on = header.began_on
            if completions:
                process.completer.flush_soon(completions, header.lost)
        except BaseException as error:
            process.completer.put_back(completions)
            if not completions or is_away(error) or not isinstance(error, psycopg2.Error | ValueError):
                raise
            # Postgres cannot store one of the outputs. The completer finds out which one, and records that in its job.
            self._answer_lost()
            return [], (ANY,)
        due = None if header.looks_on is None else seconds_until(header.looks_on, header.on_clock)
        self._pace.look_again_in(process.wake_ups, len(process.queues), due)
        if completions:
            self._wake_queues_that_looked_meanwhile({claim.task for claim, _ in completions})
        return jobs, [*header.held_back, LACKS_THREAD] if header.lacks_thread else header.held_back

    def _log_breakers(self, conn: Connection) -> None:
        for notice in conn.notices:
            if "breaker of " in notice:
                self._log.warning("limit: " + notice.partition("WARNING:")[2].strip())
        conn.notices.clear()

    def _wake_queues_that_looked_meanwhile(self, ended: set[str]) -> None:
        # Another queue's look at the same time may have missed these ends. The server notifies only other processes.
        blocked = self._process.blocked
        for queue in {queue for task in ended for queue in blocked.freed_by(task, since=self._asked)} - {self._queue}:
            self._process.wake_ups.wake(queue)

    def _claim_alone(self, conn: Connection, want: int) -> tuple[list[tuple[Any, ...]], Sequence[str]]:
        process = self._process
        self._pace.look_again_in(process.wake_ups, len(process.queues))
        self._began_on = None
        rows = SQL.rows(conn, "job/claim_alone", worker=process.id, queue=self._queue, tasks=process.tasks(), want=want)
        if not rows:
            process.proof.is_due = True
        return rows, (ANY,)

    def _accept(self, rows: list[tuple[Any, ...]]) -> None:
        process, received = self._process, time.monotonic()
        messages = [JobMessage(row, self._queue, self._asked, received) for row in rows]
        for claim in (message.claim for message in messages if message.claim.task in process.runtime.quick):
            claim.assume_earliest_claim(self._began_on)
        for place, message in enumerate(messages):
            try:
                self._accept_one(message)
            except BaseException:
                self.close()
                for left in messages[place:]:
                    process.held.forget([left.claim])  # forget it, so that it can be returned as unknown
                    process.settle(left.claim, RETURNED)
                raise
        process.hand_back(process.held.without_slot())

    def _accept_one(self, message: JobMessage) -> None:
        held, starts = self._process.held.accept(message)
        if starts is not None:
            self._buffer.append(starts)
        elif held.number != message.claim.number:
            # Another process rescued this job from us, and we claimed it again; but its earlier run here has not ended.
            self._process.settle(message.claim, _STILL_ENDING)

    def _report(self, conn: Connection, waits: Waits) -> None:
        if self._pace.reported != waits:
            process = self._process
            if process.wake_ups.notifications_arrive:
                SQL.run(
                    conn,
                    "worker/waits",
                    worker=process.id,
                    queue=self._queue,
                    idle=waits.idle,
                    limited=sorted(waits.limited),
                )
            self._pace.reported = waits

    def ack(self, message: JobMessage) -> None:
        """Give the outcome to the completer; called in the worker's thread."""
        claim, process, outcome = message.claim, self._process, message.outcome
        if outcome is None and (claim.started is not None or process.held.start(claim)):
            # Dramatiq stopped between its hooks: a payload has a key `self`, a middleware failed, or an interrupt came late.
            # Count this as a start. Otherwise the job would be tried for ever.
            error = getattr(message, "_exception", None) or RuntimeError("the job was not run")
            retries = claim.attempt - claim.attempt_base
            outcome = of_exception(error, process.policy(claim), retries=retries)
        if message.failed:
            outcome = failed_by_middleware(outcome)
        if not process.settle(claim, outcome or RETURNED):
            return  # handed back before it started, or given up: its end is recorded and its thread is free
        process.completer.wait_for_room()
        # A consumer may wait for a limit that this end frees. With its next claim, a consumer also writes completions.
        blocked = process.blocked
        freed = blocked.freed_by(claim.task)
        blocked.add_pending(freed)
        needs_no_look = self._pace.is_idle and not freed
        if isinstance(outcome, Completed) and not needs_no_look:
            blocked.add_pending((self._queue,))
        # A claim or a write costs the same for one job as for many, so both wait while a job waits for a thread.
        if not process.held.waiting():
            for queue in blocked.take_pending():
                process.wake_ups.wake(queue)
            if needs_no_look:
                process.completer.write_now()

    nack = ack

    def requeue(self, messages: Iterable[JobMessage]) -> None:
        """Hand back the jobs that were claimed and not started, as at a shutdown."""
        for message in messages:
            self._process.settle(message.claim, RETURNED, unstarted=True)

    def end_look(self) -> None:
        """Cancel the look that is under way, as at a stop: it may wait for a lock or a silent server."""
        conn = self._look_connection
        if conn is not None:
            self._log.warning("its last look for jobs takes too long; it is ended", queue=self._queue)
            conn.cancel()

    def close(self) -> None:
        """Hand back the messages that dramatiq did not take."""
        messages, self._buffer = list(self._buffer), deque()
        self.requeue(messages)
        # The last message may have been lost on its way to dramatiq's threads.
        self.requeue([self._handed] if self._handed else [])
        self._process.hand_back(self._process.held.of_queue(self._queue))
