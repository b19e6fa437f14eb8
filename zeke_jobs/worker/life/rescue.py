"""Returns the jobs of lost processes and of lost claims to the queue, and cancels jobs that missed their start deadline."""

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


def rescue(conn: Connection, log: FilteringBoundLogger) -> None:
    """Return the jobs of lost processes, and log it."""
    for row in SQL.all(conn, "worker/rescue"):
        log.warning(
            "rescued from a lost worker",
            task=row["task"],
            job_id=str(row["message_id"]),
            deaths=row["deaths"],
            outcome=row["outcome"],
        )


def disown(
    conn: Connection, worker: UUID, held: HeldJobs, log: FilteringBoundLogger, *, older: float | None = None
) -> None:
    """Return jobs to the queue that are ours in the database but unknown here: the answer to their claim was lost or unreadable.

    ``older``: seconds that must have passed since the claim, by default ``UNDER_WAY``.
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
    """Cancel jobs that missed their start deadline, and log their number."""
    if expired := SQL.value(conn, "job/expire", limit=_EXPIRE_AT_ONCE):
        log.info("cancelled: not started in time", count=expired)
