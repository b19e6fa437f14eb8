"""Returns the jobs of lost processes to the queue, and cancels what was not started in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from structlog.typing import FilteringBoundLogger

_EXPIRE_AT_ONCE = 500


def run(conn: Connection, lost_after: float, log: FilteringBoundLogger) -> int:
    """Rescue, expire, and say so; returns how many jobs were rescued. ``lost_after`` is in seconds."""
    rescued = SQL.all(conn, "worker_rescue", lost_after=timedelta(seconds=lost_after))
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
