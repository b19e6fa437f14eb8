"""Writes how attempts ended, in batches, until the database has them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg2

from zeke_jobs.logs import get_logger
from zeke_jobs.outcome import Completed, Ended, describe, text_of
from zeke_jobs.postgres import DISCONNECTED
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.claims import Claim, HeldClaims
    from zeke_jobs.postgres import Pool

_MOST_WAITING = 5_000  # outcomes; past that, worker threads wait instead of filling memory
_BATCH = 500
_GRACE = 0.025  # seconds in which a consumer may take completions along with its next claim; it is woken for them
_LONGEST_PAUSE = 2.0

Ending = tuple["Claim", Completed | Ended]
Completion = tuple["Claim", Completed]


class Settler:
    """The outcomes that are not written yet, and a thread that writes those which no consumer takes along with a claim.

    A job counts as held until its outcome is in the database.
    """

    def __init__(self, pool: Pool, held: HeldClaims) -> None:
        self.worker: UUID | None = None
        self.revision = 0
        self._pool = pool
        self._held = held
        self._waiting: list[Ending] = []
        self._condition = threading.Condition()
        self._completed: Counter[str] = Counter()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)
        self._log = get_logger("zeke_jobs.settler")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, claim: Claim, outcome: Completed | Ended) -> None:
        """Hand over an outcome. Blocks only while very many wait, as when the database is away."""
        with self._condition:
            while len(self._waiting) >= _MOST_WAITING:
                self._condition.wait(1.0)
            self._waiting.append((claim, outcome))
            if len(self._waiting) == 1:
                self._condition.notify_all()

    def waiting(self) -> list[Ending]:
        """The outcomes that are not written yet."""
        with self._condition:
            return list(self._waiting)

    def take_completions(self) -> list[Completion]:
        """Completions for a consumer to write along with its next claim; ``written`` or ``put_back`` must follow."""
        with self._condition:
            taken = [(claim, outcome) for claim, outcome in self._waiting if isinstance(outcome, Completed)][:_BATCH]
            if len(taken) == len(self._waiting):
                self._waiting = []
            else:
                gone = {id(outcome) for _, outcome in taken}
                self._waiting = [one for one in self._waiting if id(one[1]) not in gone]
            return taken

    def put_back(self, endings: Sequence[Ending]) -> None:
        """They could not be written; they come first next time."""
        with self._condition:
            self._waiting[:0] = endings
            self._condition.notify_all()

    def written(self, endings: Sequence[Ending], lost: Collection[UUID] = ()) -> None:
        """They are in the database, but for the ``lost``, which were no longer ours."""
        for claim, outcome in endings:
            if claim.id in lost:
                self._say_lost(claim, outcome)
            elif isinstance(outcome, Completed):
                self._completed[claim.task] += 1
            self._held.discard(claim)

    def say_completed(self) -> None:
        """Log how many jobs completed since the last time. One line for all: failures have lines of their own."""
        completed, self._completed = self._completed, Counter()
        if completed:
            self._log.info("completed", jobs=completed.total(), **dict(completed.most_common()))

    def close(self, timeout: float) -> None:
        """Write what waits and stop; gives up after ``timeout`` seconds, when other processes rescue the jobs."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout)
        self.say_completed()
        if self._thread.is_alive():
            self._log.error("outcomes not written; the jobs will run again elsewhere", count=len(self._waiting))

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except BaseException:
            # A process that cannot say how jobs ended must not go on: without it, its jobs are rescued.
            self._log.exception("outcomes can no longer be written; this process ends, please report it")
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    def _write_until_closed(self) -> None:
        pause = 0.05
        while batch := self._next():
            try:
                with self._pool.connection() as conn:
                    for part in self._parts(conn, batch):
                        self.written(*part)
                        batch = batch[len(part[0]) :]
            except DISCONNECTED as error:
                self._log.warning("outcomes wait for the database", count=len(batch), error=str(error).strip())
                self._pool.drop_idle()
                self.put_back(batch)
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = 0.05

    def _parts(self, conn: Connection, batch: list[Ending]) -> Iterator[tuple[list[Ending], set[UUID]]]:
        """Write a batch, completions first: all completions at once, the rest one by one."""
        batch.sort(key=lambda one: isinstance(one[1], Ended))
        completions = [(claim, outcome) for claim, outcome in batch if isinstance(outcome, Completed)]
        if completions:
            try:
                lost = self._complete(conn, completions)
            except DISCONNECTED:
                raise
            except (psycopg2.Error, ValueError):
                # One output that Postgres cannot store must not take the others with it.
                for one in completions:
                    yield [one], self._complete_alone(conn, one)
            else:
                yield list(completions), lost
        for claim, outcome in batch[len(completions) :]:
            assert isinstance(outcome, Ended)
            yield [(claim, outcome)], self._finish_alone(conn, claim, outcome)

    def _next(self) -> list[Ending]:
        """What to write now; empty only when closing. A consumer may have taken all in the meantime."""
        with self._condition:
            while not self._closing:
                while not self._waiting and not self._closing:
                    self._condition.wait()
                self._condition.wait_for(lambda: self._closing or len(self._waiting) >= _BATCH, _GRACE)
                if self._waiting:
                    break
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            self._condition.notify_all()
            return batch

    def _complete(self, conn: Connection, batch: list[Completion]) -> set[UUID]:
        ours = {row["id"] for row in SQL.all(conn, "job_complete", worker=self.worker, **columns(batch))}
        return {claim.id for claim, _ in batch} - ours

    def _complete_alone(self, conn: Connection, one: Completion) -> set[UUID]:
        try:
            return self._complete(conn, [one])
        except DISCONNECTED:
            raise
        except (psycopg2.Error, ValueError) as error:
            return self._finish_alone(conn, one[0], _unstorable("the output", error))

    def _finish_alone(self, conn: Connection, claim: Claim, outcome: Ended) -> set[UUID]:
        try:
            ours = self._finish(conn, claim, outcome)
        except DISCONNECTED:
            raise
        except (psycopg2.Error, ValueError) as error:
            # psycopg2 refuses NUL with a ValueError; Postgres a time beyond its calendar.
            self._log.exception("how a job ended could not be stored", task=claim.task, job_id=str(claim.id))
            ours = self._finish(conn, claim, _unstorable("how it ended", error))
        return set() if ours else {claim.id}

    def _finish(self, conn: Connection, claim: Claim, outcome: Ended) -> bool:
        from psycopg2.extras import Json

        row = SQL.one(
            conn,
            "job_finish",
            worker=self.worker,
            id=claim.id,
            claim=claim.number,
            outcome=outcome.how,
            after=claim.after,
            delay=outcome.delay,
            until=outcome.until,
            reason=outcome.reason,
            error=None if outcome.error is None else Json(outcome.error),
            revision=self.revision,
        )
        return row is not None and bool(row["ours"])

    def _say_lost(self, claim: Claim, outcome: Completed | Ended) -> None:
        self._log.warning(
            "the job is no longer ours; its outcome changes nothing",
            task=claim.task,
            job_id=str(claim.id),
            claim=claim.number,
            outcome=outcome.how if isinstance(outcome, Ended) else "completed",
        )


def _unstorable(what: str, error: Exception) -> Ended:
    return Ended("failed", reason=f"{what} could not be stored: {text_of(error).strip()}", error=describe(error))


def columns(batch: Sequence[Completion]) -> dict[str, Any]:
    """Completions as the parallel arrays that SQL takes."""
    return {
        "ids": [claim.id for claim, _ in batch],
        "claims": [claim.number for claim, _ in batch],
        "after": [claim.after or 0.0 for claim, _ in batch],
        "results": [outcome.output for _, outcome in batch],
    }
