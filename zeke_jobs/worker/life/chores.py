"""Chores of a heartbeat that may take long: end timed values, let jobs follow their tasks, and end jobs whose task is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg2.extensions import connection as Connection

_GATHERED = 10_000  # jobs of a task moved to its new name or queue in one statement
NAMES = frozenset({"revert", "gather"})
"""The chores that are done here; the heartbeat does the others."""


def do(conn: Connection, names: Collection[str]) -> None:
    """Do the named chores. Several processes may try at once; the first one does them."""
    log = get_logger("zeke_jobs.chores")
    if "revert" in names:
        applying.revert_and_log(conn, log)
    if "gather" in names:
        for moved in SQL.all(conn, "job/gather", limit=_GATHERED):
            log.info("jobs follow their task", **moved)
        for ended in SQL.all(conn, "job/cancel_removed"):
            log.warning("jobs cancelled: no task in force has their name", **ended)
