"""Returns the jobs of lost processes and of lost claims to the queue, and cancels jobs that were not started in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection
    from structlog.typing import FilteringBoundLogger

    from zeke_jobs.worker.claim.held_jobs import HeldJobs

_EXPIRE_AT_ONCE = 500
UNDER_WAY = 10.0  # seconds in which the answer to a claim may still come


def rescue(conn: Connection, log: FilteringBoundLogger) -> int:
    """Return the jobs of lost processes, and log it; answers how many."""
    rows = SQL.all(conn, "worker/rescue")
    for row in rows:
        log.warning(
            "rescued from a lost worker",
            task=row["task"],
            job_id=str(row["message_id"]),
            deaths=row["deaths"],
            outcome=row["outcome"],
        )
    return len(rows)


def disown(
    conn: Connection, worker: UUID, held: HeldJobs, log: FilteringBoundLogger, *, older: float | None = None
) -> None:
    """Return jobs that the database calls ours and we do not know: the answer to their claim never came, or was not understood.

    ``older`` is how many seconds ago it was claimed at least, by default ``UNDER_WAY``.
    """
    known = held.all()
    rows = SQL.all(
        conn,
        "job/disown",
        worker=worker,
        held=[claim.id for claim in known],
        claims=[claim.number for claim in known],
        older=UNDER_WAY if older is None else older,
    )
    for row in rows:
        log.warning("returned: its claim was lost on the way", task=row["task"], job_id=str(row["message_id"]))


def expire(conn: Connection, log: FilteringBoundLogger) -> None:
    """Cancel jobs that were not started in time, and say how many."""
    expired = SQL.one(conn, "job/expire", limit=_EXPIRE_AT_ONCE)
    if expired is not None and expired["count"]:
        log.info("cancelled: not started in time", count=expired["count"])
