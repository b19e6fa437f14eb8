"""Logs when a task's jobs begin to wait longer than ``max_wait``, and when they no longer do."""

from collections.abc import Set as AbstractSet

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.wording import span
from zeke_jobs.postgres.queries import SQL


def log(conn: Connection, known: AbstractSet[str]) -> AbstractSet[str]:
    """Log the tasks that have become late since ``known``, and those that no longer are. Return all late tasks."""
    late = {row["task"]: row for row in SQL.all(conn, "schedule/late")}
    log = get_logger("zeke_jobs.max_wait")
    for task in late.keys() - known:
        waits = {"max_wait": span(late[task]["max_wait"]), "oldest_waits": span(late[task]["wait"])}
        log.warning("jobs wait longer than max_wait", task=task, **waits)
    for task in known - late.keys():
        log.info("jobs no longer wait longer than max_wait", task=task)
    return late.keys()
