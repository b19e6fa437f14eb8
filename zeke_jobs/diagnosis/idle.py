"""Whether the work of some queues is done, and which jobs failed: for ``zeke-jobs up --until-idle``."""

from collections.abc import Sequence
from datetime import datetime

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.queries import SQL

_NAMED = 10  # failed jobs


def is_over(conn: Connection, queues: Sequence[str], since: datetime) -> bool:
    """Whether no job of these queues is due or active, and none waits for a retry after an attempt since then.

    Delayed, deferred and paused jobs are left for another run.
    """
    return not SQL.value(conn, "idle/left", queues=list(queues), since=since)


def failed(conn: Connection, queues: Sequence[str], since: datetime) -> list[str]:
    """A line for each job that failed for good since then, and one for those that are too many to name."""
    found = SQL.all(conn, "idle/failed", queues=list(queues), since=since, most=_NAMED)
    lines = [f"failed: {one['task']} {one['id']}: {one['type']}: {one['message']}" for one in found]
    return [*lines, f"failed: {found[0]['number'] - _NAMED} more"] if found and found[0]["number"] > _NAMED else lines
