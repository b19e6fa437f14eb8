"""Writes the ends of attempts: completions together, others one by one. An end that cannot be stored does not stop the others."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg2 import DataError, IntegrityError
from psycopg2.errors import LockNotAvailable, ProgramLimitExceeded
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.outcome import Completed, Ended, describe, text_of

Ending = tuple[Claim, Completed | Ended]
Completion = tuple[Claim, Completed]
Written = tuple[list[Ending], set[UUID]]

# Errors caused by a value: psycopg2 refuses NUL with a ValueError; Postgres refuses times beyond its calendar and values that
# are too large. All other errors have nothing to do with the outcome.
UNFIT = (ValueError, DataError, IntegrityError, ProgramLimitExceeded)


class EndingWriter:
    """``worker`` is the process that holds the claims; ``revision`` is the revision that it uses."""

    def __init__(self, worker: UUID, revision: int = 0) -> None:
        self.revision = revision
        self._worker = worker
        self._told: set[UUID] = set()  # jobs with a logged warning that another session has locked their row
        self._log = get_logger("zeke_jobs.completer")

    def write(self, conn: Connection, batch: Sequence[Ending]) -> Iterator[Written]:
        """Write a batch part by part; yield each part with the ids of its claims that were no longer ours.

        An end is not yielded if another session has locked the job's row. The caller must write it later.

        Raises:
            psycopg2.Error: the database is away (``postgres.is_away``); parts not yielded may be unwritten.
        """
        completed = [one for one in batch if isinstance(one[1], Completed)]
        returned = [one for one in batch if isinstance(one[1], Ended) and one[1].how == "returned"]
        for part in (completed, returned):
            try:
                lost = self._end_all(conn, part) if part else set()
            except (*UNFIT, LockNotAvailable):
                # An output that Postgres cannot store, or another session's lock, must not stop the other ends.
                for one in part:
                    yield from self._alone(conn, one)
            else:
                yield part, lost
        for one in batch:
            if isinstance(one[1], Ended) and one[1].how != "returned":
                yield from self._alone(conn, one)

    def _alone(self, conn: Connection, one: Ending) -> Iterator[Written]:
        claim, outcome = one
        try:
            try:
                lost = self._end(conn, claim, outcome)
            except UNFIT as error:
                self._log.exception("the end of a job could not be stored", task=claim.task, job_id=str(claim.id))
                what = "the output" if isinstance(outcome, Completed) else "its end"
                reason = f"{what} could not be stored: {text_of(error).strip()}"
                lost = self._end(conn, claim, Ended("failed", reason=reason, error=describe(error)))
        except LockNotAvailable as error:
            if claim.id not in self._told:
                self._told.add(claim.id)
                _, held_by = lock_waits.holder(conn, error) or (0, "a session that has ended since")
                self._log.warning(
                    "its end is written later: another session holds it", job_id=str(claim.id), held_by=held_by
                )
        else:
            self._told.discard(claim.id)
            yield [one], lost

    def _end_all(self, conn: Connection, part: Sequence[Ending]) -> set[UUID]:
        """Write ends of one kind, completed or returned, in one statement."""
        to = "completed" if isinstance(part[0][1], Completed) else "returned"
        lost = {job for (job,) in SQL.rows(conn, "job/end", to=to, worker=self._worker, **columns(part))}
        if lost:
            # When a connection breaks during a commit, the commit may or may not have succeeded.
            claims = {claim.id: claim.number for claim, _ in part if claim.id in lost}
            committed = SQL.all(conn, "job/written", ids=list(claims), claims=list(claims.values()))
            lost -= {row["id"] for row in committed}
        return lost

    def _end(self, conn: Connection, claim: Claim, outcome: Completed | Ended) -> set[UUID]:
        if isinstance(outcome, Completed) or outcome.how == "returned":
            return self._end_all(conn, [(claim, outcome)])
        params = {
            "worker": self._worker,
            "id": claim.id,
            "claim": claim.number,
            "after": claim.after,
            "delay": outcome.delay,
            "revision": self.revision,
            "took": claim.took,
        }
        if outcome.how == "waiting":
            ours = SQL.value(conn, "job/wait_for", event=outcome.reason, **params)
        else:
            ours = SQL.value(
                conn,
                "job/finish",
                outcome=outcome.how,
                until=outcome.until,
                reason=outcome.reason,
                error=None if outcome.error is None else Json(outcome.error),
                breaks=outcome.breaks,
                **params,
            )
        return set() if ours else {claim.id}


def store_logs(conn: Connection, claims: Sequence[Claim]) -> None:
    """Store the last lines that ended attempts have logged. ``zeke-jobs logs`` shows them."""
    read = [(one.id, one.number, one.attempt + 1, *one.log.read()) for one in claims if one.log is not None]
    jobs, numbers, attempts, lines, dropped = map(list, zip(*read, strict=True))
    SQL.run(conn, "job/keep_log", jobs=jobs, claims=numbers, attempts=attempts, lines=lines, dropped=dropped)


def columns(part: Sequence[Ending]) -> dict[str, Any]:
    """Ends as the parallel arrays that SQL takes."""
    return {
        "ids": array(claim.id for claim, _ in part),
        "claims": array(claim.number for claim, _ in part),
        "after": array(
            0.0 if claim.after is None and isinstance(end, Completed) else claim.after for claim, end in part
        ),
        "took": array(claim.took for claim, _ in part),
        "results": [end.output if isinstance(end, Completed) else None for _, end in part],
    }


def array(values: Iterable[UUID | float | str | None]) -> str:
    """Ids, numbers or texts as one literal, which the server reads faster than an expression with each of them."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: UUID | float | str | None) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else str(value)
