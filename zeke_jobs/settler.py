"""Writes how attempts ended, in batches, until the database has them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg2

from zeke_jobs.logs import get_logger
from zeke_jobs.outcome import Completed, Ended, describe
from zeke_jobs.postgres import DISCONNECTED
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.claims import Claim, HeldClaims
    from zeke_jobs.postgres import Pool

_MOST_WAITING = 5_000  # outcomes; past that, worker threads wait instead of filling memory
_BATCH = 500
_LONGEST_PAUSE = 2.0

Ending = tuple["Claim", Completed | Ended]


class Settler:
    """A thread with the outcomes that are not written yet. ``put`` returns at once; ``close`` writes the rest.

    A job counts as held until its outcome is in the database.
    """

    def __init__(self, pool: Pool, held: HeldClaims) -> None:
        self.worker: UUID | None = None
        self.revision = 0
        self._pool = pool
        self._held = held
        self._waiting: list[Ending] = []
        self._condition = threading.Condition()
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
            self._condition.notify_all()

    def waiting(self) -> list[Ending]:
        """The outcomes that are not written yet."""
        with self._condition:
            return list(self._waiting)

    def close(self, timeout: float) -> None:
        """Write what waits and stop; gives up after ``timeout`` seconds, when other processes rescue the jobs."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._log.error("outcomes not written; the jobs will run again elsewhere", count=len(self._waiting))

    def _run(self) -> None:
        pause = 0.05
        while batch := self._next():
            try:
                with self._pool.connection() as conn:
                    self.write(conn, batch)
            except DISCONNECTED as error:
                self._log.warning("outcomes wait for the database", count=len(batch), error=str(error).strip())
                self._pool.drop_idle()
                with self._condition:
                    self._waiting[:0] = batch
                time.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
                continue
            pause = 0.05
            for claim, _ in batch:
                self._held.discard(claim)

    def _next(self) -> list[Ending]:
        with self._condition:
            while not self._waiting and not self._closing:
                self._condition.wait()
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            self._condition.notify_all()
            return batch

    def write(self, conn: Connection, batch: list[Ending]) -> None:
        """Write outcomes; those of jobs that are no longer ours change nothing and are logged."""
        completed = [(claim, outcome) for claim, outcome in batch if isinstance(outcome, Completed)]
        if completed:
            try:
                self._complete(conn, completed)
            except DISCONNECTED:
                raise
            except psycopg2.Error:
                # One output that Postgres cannot store must not take the others with it.
                for one in completed:
                    self._complete_alone(conn, one)
        for claim, outcome in batch:
            if isinstance(outcome, Ended):
                self._finish(conn, claim, outcome)

    def _complete(self, conn: Connection, batch: list[tuple[Claim, Completed]]) -> None:
        rows = SQL.all(
            conn,
            "job_complete",
            worker=self.worker,
            ids=[claim.id for claim, _ in batch],
            claims=[claim.number for claim, _ in batch],
            after=[claim.after or 0.0 for claim, _ in batch],
            results=[outcome.output for _, outcome in batch],
        )
        if len(rows) < len(batch):
            ours = {row["id"] for row in rows}
            for claim, _ in batch:
                if claim.id not in ours:
                    self._say_lost(claim, "completed")

    def _complete_alone(self, conn: Connection, one: tuple[Claim, Completed]) -> None:
        try:
            self._complete(conn, [one])
        except DISCONNECTED:
            raise
        except psycopg2.Error as error:
            reason = f"the output could not be stored: {str(error).strip()}"
            self._finish(conn, one[0], Ended("failed", reason=reason, error=describe(error)))

    def _finish(self, conn: Connection, claim: Claim, outcome: Ended) -> None:
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
        if row is None or not row["ours"]:
            self._say_lost(claim, outcome.how)

    def _say_lost(self, claim: Claim, outcome: str) -> None:
        self._log.warning(
            "the job is no longer ours; its outcome changes nothing",
            task=claim.task,
            job_id=str(claim.id),
            claim=claim.number,
            outcome=outcome,
        )
