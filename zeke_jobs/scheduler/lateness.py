"""Logs, once for the whole fleet, when a task's jobs begin to wait longer than ``max_wait``, and when they no longer do."""

from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.wording import span, when
from zeke_jobs.postgres.queries import SQL


def record(conn: Connection) -> list[dict[str, Any]]:
    """Record the breaches of ``max_wait`` that began or ended since the last call of any process, log and return them.

    Each breach is logged once, however many schedulers call this.
    """
    changes = SQL.all(conn, "schedule/note")
    log = get_logger("zeke_jobs.max_wait")
    for change in changes:
        if change["event"] == "begun":
            log.warning(
                "jobs wait longer than max_wait",
                task=change["task"],
                max_wait=span(change["max_wait"]),
                oldest_waits=span(change["wait"]),
            )
        else:
            log.info("jobs no longer wait longer than max_wait", task=change["task"], since=when(change["since"]))
    return changes
