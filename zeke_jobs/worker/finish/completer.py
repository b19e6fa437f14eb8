"""Writes the outcomes of attempts to the database in batches, and repeats writes that fail."""

import math
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger, is_json
from zeke_jobs.core.redaction import redact
from zeke_jobs.core.wording import one_line, span
from zeke_jobs.postgres.pool import is_away
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.claim.held_jobs import HeldJobs
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.finish.writer import Ending, store_logs, write
from zeke_jobs.worker.run.reports import Shared

_MOST_WAITING = 5_000  # outcomes; if more wait, worker threads wait too, to save memory
_BATCH = 500
_GRACE = 0.025  # seconds in which a woken producer can write completions with its next claim
_FLUSH_GRACE = 0.02  # seconds in which one flush gathers more completions, and one statement more log lines
_LONGEST_PAUSE = 2.0
_HELD_UP = 1.0  # seconds before another try to write an end whose row another session has locked
_LOOK = 0.5  # seconds between checks for work
_MOST_LINES = 10  # maximum number of lines a second; nobody reads more, and each line takes time
_LONGEST_OUTPUT = 60  # characters
_SHORT_ID = 8  # last characters of an id, because ids made at the same time begin alike


class Completer:
    """Keeps the outcomes of jobs until its thread, or the producer with its next claim, writes them to the database.

    The producer commits completed jobs without waiting for the disk, so that limits are locked only briefly. A moment
    later, the completer's thread flushes many commits together. Until then this process holds the jobs, and writes
    their completion again if the server crashes. ``on_written`` is called with the tasks of the jobs that were written.
    """

    def __init__(self, shared: Shared, held: HeldJobs, is_stopping: Callable[[], bool] = lambda: False) -> None:
        self._shared, self._pool = shared, shared.statement_pool
        self._held = held
        self._is_stopping = is_stopping
        self.on_written: Callable[[set[str]], object] = lambda _: None
        self._waiting: list[Ending] = []
        self._logs: list[Claim] = []  # ended attempts whose log lines are not stored yet
        self._unflushed: list[Ending] = []
        self._held_up: list[Ending] = []  # another session locked the rows of these ends; they are written one by one
        self._try_held_up_on = 0.0  # monotonic seconds of the next try
        self._waiting_since = self._unflushed_since = 0.0
        self._wakes_at = math.inf  # monotonic seconds at which the thread wakes without a signal
        self._condition = threading.Condition()
        self._completed: Counter[str] = Counter()  # completed jobs that had no log line
        self._lines = CompletedLines()
        self._closing = False
        self.thread = threading.Thread(target=self._run, name="completer", daemon=True)
        self._log = get_logger("zeke_jobs.completer")

    def put(self, claim: Claim, outcome: Outcome) -> None:
        """Keep an outcome, which the completer's thread or the next claim will write."""
        with self._condition:
            self._waiting.append((claim, outcome))
            if len(self._waiting) == 1:
                self._waiting_since = time.monotonic()
                self._wake_by(self._waiting_since + _GRACE)

    def store_log(self, claim: Claim) -> None:
        """Store the log lines of an attempt that ends. Call this before ``put``, so that the lines precede the outcome."""
        with self._condition:
            self._begin_flush()
            self._logs = [*self._logs[1 - _MOST_WAITING :], claim]

    def write_now(self) -> None:
        """Let the completer's thread write the waiting outcomes at once, because no claim will write them soon."""
        with self._condition:
            if self._waiting:
                self._waiting_since = 0.0
                self._wake_by(0.0)

    def wait_for_room(self) -> None:
        """Block a worker thread while too many outcomes wait to be written, unless the process is stopping."""
        if len(self._waiting) < _MOST_WAITING:
            return
        with self._condition:
            while len(self._waiting) >= _MOST_WAITING and not self._is_stopping():
                self._condition.wait(_LOOK)

    def waiting(self) -> list[Ending]:
        """Return the outcomes that are not yet on disk."""
        with self._condition:
            return [*self._waiting, *self._held_up, *self._unflushed]

    def take_completions(self) -> list[Ending]:
        """Return completed jobs to write with a claim. Then call ``flush_soon``, or ``put_back`` if that failed."""
        with self._condition:
            taken = [one for one in self._waiting if one[1].how == "completed"][:_BATCH]
            self._waiting = _without(self._waiting, taken)
            return taken

    def put_back(self, endings: Sequence[Ending]) -> None:
        """Take back outcomes that could not be written. The next write begins with these outcomes."""
        with self._condition:
            self._waiting[:0] = endings
            self._waiting_since = 0.0
            self._condition.notify_all()

    def flush_soon(self, endings: Sequence[Ending], lost: Collection[UUID] = ()) -> None:
        """Flush committed outcomes to disk soon, except those of ``lost`` jobs, which this process no longer held."""
        gone = [one for one in endings if one[0].id in lost]
        self.confirm(gone, lost)
        with self._condition:
            self._begin_flush()
            self._unflushed += _without(endings, gone)

    def _begin_flush(self) -> None:
        if not (self._unflushed or self._logs):
            self._unflushed_since = time.monotonic()
            self._wake_by(self._unflushed_since + _FLUSH_GRACE)

    def confirm(self, endings: Sequence[Ending], lost: Collection[UUID] = ()) -> None:
        """Log outcomes that are on disk, and forget the claims. This process no longer held the jobs in ``lost``."""
        for claim, outcome in endings:
            if claim.id in lost:
                said = {"task": claim.task, "job_id": str(claim.id), "claim": claim.number, "outcome": outcome.how}
                self._log.warning("the job is no longer ours; its outcome changes nothing", **said)
            elif outcome.how == "completed" and not self._lines.log(claim, outcome):
                self._completed[claim.task] += 1
        self._held.forget(claim for claim, _ in endings)

    def log_completed(self) -> None:
        """Log how many jobs without a log line of their own have completed since the last call."""
        completed, self._completed = self._completed, Counter()
        if completed:
            self._log.info("completed", jobs=completed.total(), **dict(completed.most_common()))

    def close(self, timeout: float) -> None:
        """Write the waiting outcomes and stop. After ``timeout`` seconds, give up: other processes will rescue the jobs."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self.thread.join(timeout)
        self.log_completed()
        if self.thread.is_alive():
            count = len(self._waiting) + len(self._held_up)
            self._log.error("outcomes not written; the jobs will run again elsewhere", count=count)

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except BaseException:  # the process must end, so that its jobs are rescued
            self._log.exception("outcomes can no longer be written; this process ends, please report it")
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    def _write_until_closed(self) -> None:
        pause = 0.05
        while (work := self._next()) is not None:
            batch, unflushed, again = work
            written: list[Ending] = []
            try:
                with self._pool.connection() as conn:
                    if unflushed:
                        SQL.run(conn, "job/flush")
                        self.confirm(unflushed)
                        unflushed = []
                    self._store_logs(conn)
                    worker, revision = self._shared.worker, self._shared.runtime.revision
                    for part in write(conn, worker, batch, revision, is_told=again):
                        self.confirm(*part)
                        written += part[0]
                if batch:
                    with self._condition:
                        self._held_up += (left := _without(batch, written))
                        if left or again:  # once one end is written, try the others now: they may need the same lock
                            self._try_held_up_on = time.monotonic() + _HELD_UP if left else 0.0
                    self.on_written({claim.task for claim, _ in batch})
            except psycopg2.Error as error:
                if not is_away(error):
                    raise
                batch = [*unflushed, *_without(batch, written)]
                self._log.warning("outcomes wait for the database", count=len(batch), error=str(error).strip())
                self._pool.drop_idle()
                self.put_back(batch)
                self.on_written({claim.task for claim, _ in written})
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = 0.05

    def _store_logs(self, conn: Connection) -> None:
        with self._condition:
            claims, self._logs = self._logs, []
        if not claims:
            return
        try:
            store_logs(conn, claims)
        except Exception as error:
            if is_away(error):
                with self._condition:
                    self._logs[:0] = claims
                raise
            self._log.exception("log lines could not be stored with their jobs", jobs=len(claims))

    def _wake_by(self, when: float) -> None:
        if when < self._wakes_at:  # a needless wake-up would take the interpreter from other threads
            self._condition.notify_all()

    def _next(self) -> tuple[list[Ending], list[Ending], bool] | None:
        """Wait for work. Returns what to write, what to flush, and whether this is a retry; None ends the thread."""
        with self._condition:
            while True:
                now = time.monotonic()
                write_on = self._waiting_since + _GRACE if self._waiting else math.inf
                flush_on = self._unflushed_since + _FLUSH_GRACE if self._unflushed or self._logs else math.inf
                retry_on = self._try_held_up_on if self._held_up else math.inf
                if len(self._waiting) >= _BATCH or (self._closing and (self._waiting or not self._held_up)):
                    write_on = flush_on = now
                self._wakes_at = min(write_on, flush_on, retry_on)
                if self._wakes_at <= now:
                    break
                self._condition.wait(None if self._wakes_at == math.inf else self._wakes_at - now)
            batch: list[Ending] = []
            if write_on <= now:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            again = not batch and retry_on <= now
            if again:
                batch = [self._held_up.pop(0)]
            unflushed, self._unflushed = self._unflushed, []
            self._condition.notify_all()
            if self._closing and not (batch or unflushed or self._logs or self._held_up):
                return None
            return batch, unflushed, again


def _without(batch: Sequence[Ending], some: Sequence[Ending]) -> list[Ending]:
    """Return the outcomes of a batch without the given ones."""
    claims = {id(claim) for claim, _ in some}
    return [one for one in batch if id(one[0]) not in claims] if len(some) < len(batch) else []


class CompletedLines:
    """Logs a line for each completed job, except in the JSON format: programs that read it use totals and metrics."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second, self._left = -1, 0
        self._log = get_logger("zeke_jobs.job")

    def log(self, claim: Claim, outcome: Outcome) -> bool:
        """Log a completed job and return True. After ten lines in a second, or with JSON logs, only return False."""
        if (second := int(self._clock())) != self._second:
            self._second, self._left = second, 0 if is_json() else _MOST_LINES
        if not self._left:
            return False
        self._left -= 1
        took = "" if claim.took is None else f" in {span(timedelta(seconds=claim.took - (claim.after or 0.0)))}"
        # Do not log the output of a job with sensitive fields: only the database can mask values in an output.
        hides = claim.sensitive or outcome.output == "null"
        shown = "" if hides else f": {one_line(redact(outcome.output), _LONGEST_OUTPUT)}"
        self._log.info(f"{claim.task} {str(claim.id)[-_SHORT_ID:]} completed{took}{shown}")
        return True
