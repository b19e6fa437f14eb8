"""Writes the ends of attempts: completions together, others one by one. An end that cannot be stored does not stop the others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg2 import DataError, IntegrityError
from psycopg2.errors import LockNotAvailable, ProgramLimitExceeded
from psycopg2.extras import Json

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.finish.outcome import Completed, Ended, describe, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.worker.claim.claims import Claim

    Ending = tuple[Claim, Completed | Ended]
    Completion = tuple[Claim, Completed]
    Written = tuple[list[Ending], set[UUID]]

# Errors caused by a value: psycopg2 refuses NUL with a ValueError; Postgres refuses times beyond its calendar and values that
# are too large. All other errors have nothing to do with the outcome.
UNFIT = (ValueError, DataError, IntegrityError, ProgramLimitExceeded)


class EndingWriter:
    """``worker`` is the process that holds the claims; ``revision`` is the revision that it uses."""

    def __init__(self) -> None:
        self.worker: UUID | None = None
        self.revision = 0
        self._told: set[UUID] = set()  # jobs whose end another session holds up
        self._log = get_logger("zeke_jobs.completer")

    def write(self, conn: Connection, batch: Sequence[Ending]) -> Iterator[Written]:
        """Write a batch part by part; yield each part with the ids of its claims that were no longer ours.

        An end whose locks another session holds is not yielded: it is to be written later.

        Raises:
            psycopg2.Error: the database is away (``postgres.is_away``); parts not yielded may be unwritten.
        """
        completions = [(claim, outcome) for claim, outcome in batch if isinstance(outcome, Completed)]
        endings = [(claim, outcome) for claim, outcome in batch if isinstance(outcome, Ended)]
        if completions:
            yield from self._complete_all(conn, completions)
        if returned := [(claim, outcome) for claim, outcome in endings if outcome.how == "returned"]:
            yield from self._hand_back_all(conn, returned)
        for claim, outcome in endings:
            if outcome.how != "returned":
                yield from self._alone(conn, (claim, outcome), partial(self._finish_alone, conn, claim, outcome))

    def _alone(self, conn: Connection, one: Ending, write: Callable[[], set[UUID]]) -> Iterator[Written]:
        job = one[0].id
        try:
            lost = write()
        except LockNotAvailable as error:
            if job not in self._told:
                self._told.add(job)
                _, held_by = lock_waits.holder(conn, error) or (0, "a session that has ended since")
                self._log.warning(
                    "its end is written later: another session holds it", job_id=str(job), held_by=held_by
                )
        else:
            self._told.discard(job)
            yield [one], lost

    def _complete_all(self, conn: Connection, completions: list[Completion]) -> Iterator[Written]:
        try:
            lost = self._complete(conn, completions)
        except (*UNFIT, LockNotAvailable):
            # An output that Postgres cannot store must not stop the others, nor must somebody's lock.
            for one in completions:
                yield from self._alone(conn, one, partial(self._complete_alone, conn, one))
        else:
            yield list(completions), lost

    def _hand_back_all(self, conn: Connection, returned: list[tuple[Claim, Ended]]) -> Iterator[Written]:
        try:
            lost = self._hand_back(conn, [claim for claim, _ in returned])
        except LockNotAvailable:
            for one in returned:
                yield from self._alone(conn, one, partial(self._hand_back, conn, [one[0]]))
        else:
            yield list(returned), lost

    def _hand_back(self, conn: Connection, claims: Sequence[Claim]) -> set[UUID]:
        given = SQL.all(
            conn,
            "job/hand_back",
            worker=self.worker,
            ids=[claim.id for claim in claims],
            claims=[claim.number for claim in claims],
            after=[claim.after for claim in claims],
            took=[claim.took for claim in claims],
        )
        return {claim.id for claim in claims} - {row["id"] for row in given}

    def _complete(self, conn: Connection, batch: list[Completion]) -> set[UUID]:
        lost = {job for (job,) in SQL.rows(conn, "job/complete", worker=self.worker, **columns(batch))}
        if lost:
            # When a connection breaks during a commit, the commit may or may not have succeeded.
            claims = {claim.id: claim.number for claim, _ in batch if claim.id in lost}
            committed = SQL.all(conn, "job/written", ids=list(claims), claims=list(claims.values()))
            lost -= {row["id"] for row in committed}
        return lost

    def _complete_alone(self, conn: Connection, one: Completion) -> set[UUID]:
        try:
            return self._complete(conn, [one])
        except UNFIT as error:
            return self._finish_alone(conn, one[0], _unstorable("the output", error))

    def _finish_alone(self, conn: Connection, claim: Claim, outcome: Ended) -> set[UUID]:
        try:
            ours = self._finish(conn, claim, outcome)
        except UNFIT as error:
            self._log.exception("the end of a job could not be stored", task=claim.task, job_id=str(claim.id))
            ours = self._finish(conn, claim, _unstorable("its end", error))
        return set() if ours else {claim.id}

    def _finish(self, conn: Connection, claim: Claim, outcome: Ended) -> bool:
        params = {
            "worker": self.worker,
            "id": claim.id,
            "claim": claim.number,
            "after": claim.after,
            "delay": outcome.delay,
            "revision": self.revision,
            "took": claim.took,
        }
        if outcome.how == "waiting":
            row = SQL.one(conn, "job/wait_for", event=outcome.reason, **params)
        else:
            row = SQL.one(
                conn,
                "job/finish",
                outcome=outcome.how,
                until=outcome.until,
                reason=outcome.reason,
                error=None if outcome.error is None else Json(outcome.error),
                breaks=outcome.breaks,
                **params,
            )
        return row is not None and bool(row["ours"])


def _unstorable(what: str, error: Exception) -> Ended:
    return Ended("failed", reason=f"{what} could not be stored: {text_of(error).strip()}", error=describe(error))


def columns(batch: Sequence[Completion]) -> dict[str, Any]:
    """Completions as the parallel arrays that SQL takes."""
    return {
        "ids": array(claim.id for claim, _ in batch),
        "claims": array(claim.number for claim, _ in batch),
        "after": array(claim.after or 0.0 for claim, _ in batch),
        "took": array(claim.took for claim, _ in batch),
        "results": [outcome.output for _, outcome in batch],
    }


def array(values: Iterable[UUID | float | str | None]) -> str:
    """Ids, numbers or texts as one literal, which the server reads faster than an expression with each of them."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: UUID | float | str | None) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else str(value)
