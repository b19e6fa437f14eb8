"""Chores that a heartbeat finds due. Several processes may try one at once; the first one does it."""

from collections.abc import Collection

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying

_EXPIRED = 500  # jobs cancelled by one statement
_GATHERED = 10_000  # jobs of a task moved to its new name or queue in one statement
LONG = frozenset({"revert", "gather"})
"""The chores that may take long."""


def do(conn: Connection, names: Collection[str]) -> None:
    """Do the named chores.

    rescue: return the jobs of lost processes. expire: cancel jobs whose start deadline is over. revert: end overrides whose time
    is over. gather: let jobs follow their renamed or moved tasks, and cancel jobs whose task is gone.
    """
    log = get_logger("zeke_jobs.chores")
    if "rescue" in names:
        for row in SQL.all(conn, "worker/rescue"):
            said = {"task": row["task"], "job_id": str(row["message_id"]), "deaths": row["deaths"]}
            log.warning("rescued from a lost worker", **said, outcome=row["outcome"])
    if "expire" in names and (expired := SQL.value(conn, "job/expire", limit=_EXPIRED)):
        log.info("cancelled: not started in time", count=expired)
    if "revert" in names:
        applying.revert_and_log(conn, log)
    if "gather" in names:
        for moved in SQL.all(conn, "job/gather", limit=_GATHERED):
            log.info("jobs follow their task", **moved)
        for ended in SQL.all(conn, "job/cancel_removed"):
            log.warning("jobs cancelled: no task in force has their name", **ended)
