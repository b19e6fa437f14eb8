"""Returns the jobs of lost processes to the queue, and cancels what was not started in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from structlog.typing import FilteringBoundLogger

_EXPIRE_AT_ONCE = 500


def run(conn: Connection, log: FilteringBoundLogger) -> int:
    """Rescue, expire, and say so; returns how many jobs were rescued."""
    rescued = SQL.all(conn, "worker_rescue")
    for row in rescued:
        log.warning(
            "rescued from a lost worker",
            task=row["task"],
            job_id=str(row["message_id"]),
            deaths=row["deaths"],
            outcome=row["outcome"],
        )
    expired = SQL.one(conn, "queue_expire", limit=_EXPIRE_AT_ONCE)
    if expired is not None and expired["count"]:
        log.info("cancelled: not started in time", count=expired["count"])
    return len(rescued)
