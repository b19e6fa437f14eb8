"""Removes finished jobs after their retention time. Only one process of the fleet does so at a time."""

from collections.abc import Callable

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL

EVERY = 60.0  # seconds
_BATCH = 1_000  # jobs of one statement, which takes some 15 ms


def purge_if_due(conn: Connection, stop: Callable[[], bool] = lambda: False) -> int:
    """Purge, unless a process has done so within the last minute; returns the number of removed jobs."""
    if not SQL.run(conn, "retention/take_turn", seconds=EVERY, again=False):
        return 0
    SQL.run(conn, "lease/forget")
    SQL.run(conn, "audit/forget")
    SQL.run(conn, "batch/forget")
    SQL.run(conn, "event/forget")
    SQL.run(conn, "retention/forget_keys")
    count = purge(conn, stop)
    if count:
        get_logger("zeke_jobs.retention").info("purged", count=count)
    return count


def purge(conn: Connection, stop: Callable[[], bool] = lambda: False, *, batch: int = _BATCH) -> int:
    """Remove jobs that ended longer ago than their task's ``keep``, and lines of the history after ninety days.

    Each batch commits by itself. A job that another transaction has locked is left for the next time.

    Args:
        conn: An autocommit connection.
        stop: Called after each batch; True ends the purge.
        batch: Jobs to remove at once.

    Returns:
        Number of jobs removed.
    """
    total = 0
    for overdue in SQL.all(conn, "retention/overdue"):
        reached = "-infinity"
        while not stop():
            row = SQL.only(conn, "retention/purge", after=reached, limit=batch, **overdue)
            total += row["purged"]
            if row["purged"] < batch:
                break
            reached = row["reached"]
            SQL.run(conn, "retention/take_turn", seconds=EVERY, again=True)
    while not stop() and SQL.run(conn, "retention/forget", limit=batch) == batch:
        pass
    return total
