"""Writes the outcomes of attempts to the database. An outcome that cannot be stored does not stop the other outcomes."""

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
from zeke_jobs.worker.finish.outcome import Outcome, describe, text_of

Ending = tuple[Claim, Outcome]
Written = tuple[list[Ending], set[UUID]]

# These errors mean that a value cannot be stored: NUL, a time beyond Postgres's calendar, or a value that is too large.
UNFIT = (ValueError, DataError, IntegrityError, ProgramLimitExceeded)


_log = get_logger("zeke_jobs.completer")


def write(
    conn: Connection, worker: UUID, batch: Sequence[Ending], revision: int = 0, *, is_told: bool = False
) -> Iterator[Written]:
    """Write a batch of outcomes in parts. Yields each part, and the ids of its jobs that this process no longer held.

    If another session has locked a job's row, the outcome is not yielded, and must be written later. A warning names
    that session, unless ``is_told`` (it was logged before). ``conn`` is an autocommit connection.

    Raises psycopg2.Error if the database is unreachable. Outcomes that were not yielded must then be written again.
    """
    singly: list[Ending] = []
    for how in ("completed", "returned"):
        part = [one for one in batch if one[1].how == how]
        try:
            lost = _end_all(conn, worker, part) if part else set()
        except (*UNFIT, LockNotAvailable):
            # If Postgres cannot store one output, or one row is locked, still write the outcomes of the other jobs.
            singly += part
        else:
            yield part, lost
    singly += [one for one in batch if one[1].how not in ("completed", "returned")]
    for claim, outcome in singly:
        try:
            try:
                lost = _end(conn, worker, claim, outcome, revision)
            except UNFIT as error:
                _log.exception("the end of a job could not be stored", task=claim.task, job_id=str(claim.id))
                what = "the output" if outcome.how == "completed" else "its end"
                reason = f"{what} could not be stored: {text_of(error).strip()}"
                lost = _end(conn, worker, claim, Outcome("failed", reason=reason, error=describe(error)), revision)
        except LockNotAvailable as error:
            if not is_told:
                _, holder = lock_waits.holder(conn, error) or (0, "a session that has ended since")
                event = "its end is written later: another session holds it"
                _log.warning(event, job_id=str(claim.id), held_by=holder)
        else:
            yield [(claim, outcome)], lost


def _end_all(conn: Connection, worker: UUID, part: Sequence[Ending]) -> set[UUID]:
    """Write the outcomes of completed or returned jobs in one statement. Returns the jobs that this process no longer held."""
    lost = {job for (job,) in SQL.rows(conn, "job/end", to=part[0][1].how, worker=worker, **columns(part))}
    if lost:
        # Leave out jobs whose outcome is already written: a commit may have succeeded before its connection broke.
        claims = {claim.id: claim.number for claim, _ in part if claim.id in lost}
        lost -= {row["id"] for row in SQL.all(conn, "job/written", ids=list(claims), claims=list(claims.values()))}
    return lost


def _end(conn: Connection, worker: UUID, claim: Claim, outcome: Outcome, revision: int) -> set[UUID]:
    if outcome.how in ("completed", "returned"):
        return _end_all(conn, worker, [(claim, outcome)])
    params: dict[str, Any] = {"worker": worker, "id": claim.id, "claim": claim.number, "revision": revision}
    params |= {"after": claim.after, "took": claim.took, "delay": outcome.delay}
    if outcome.how == "waiting":
        ours = SQL.value(conn, "job/wait_for", event=outcome.reason, **params)
    else:
        error = None if outcome.error is None else Json(outcome.error)
        params |= {"outcome": outcome.how, "until": outcome.until, "reason": outcome.reason, "breaks": outcome.breaks}
        ours = SQL.value(conn, "job/finish", error=error, **params)
    return set() if ours else {claim.id}


def store_logs(conn: Connection, claims: Sequence[Claim]) -> None:
    """Store the last log lines of attempts that have ended. ``zeke-jobs logs`` shows them."""
    read = [(one.id, one.number, one.attempt + 1, *one.log.read()) for one in claims if one.log is not None]
    jobs, numbers, attempts, lines, dropped = map(list, zip(*read, strict=True))
    SQL.run(conn, "job/keep_log", jobs=jobs, claims=numbers, attempts=attempts, lines=lines, dropped=dropped)


def columns(part: Sequence[Ending]) -> dict[str, Any]:
    """Return a batch of outcomes as parallel arrays for SQL."""
    return {
        "ids": array(claim.id for claim, _ in part),
        "claims": array(claim.number for claim, _ in part),
        "after": array(0.0 if claim.after is None and end.how == "completed" else claim.after for claim, end in part),
        "took": array(claim.took for claim, _ in part),
        "results": [end.output if end.how == "completed" else None for _, end in part],
    }


def array(values: Iterable[UUID | float | str | None]) -> str:
    """Return values as the text of one Postgres array, which the server reads faster than an ``ARRAY[…]`` of the values."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: UUID | float | str | None) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return "NULL" if value is None else str(value)
