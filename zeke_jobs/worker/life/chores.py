"""Purges finished jobs, and does a worker's other periodic chores. Heartbeats check which are due."""

from collections.abc import Callable, Collection

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying

EVERY = 60.0  # seconds between purges
_EXPIRED = 500  # maximum number of jobs that one statement cancels
_GATHERED = 10_000  # maximum number of a task's jobs that one statement moves to its new name or queue
LONG = frozenset({"revert", "gather"})  # chores that may take long
_BATCH = 1_000  # maximum number of jobs that one statement purges, in about 15 ms


def purge_if_due(conn: Connection, stop: Callable[[], bool] = lambda: False) -> int:
    """Purge finished jobs, unless a process has purged within the last minute. Returns the number of removed jobs."""
    if not SQL.run(conn, "retention/take_turn", seconds=EVERY, again=False):
        return 0
    for statement in ("lease/forget", "audit/forget", "batch/forget", "event/forget", "retention/forget_keys"):
        SQL.run(conn, statement)
    if count := purge(conn, stop):
        get_logger("zeke_jobs.retention").info("purged", count=count)
    return count


def purge(conn: Connection, stop: Callable[[], bool] = lambda: False, *, batch: int = _BATCH) -> int:
    """Remove jobs that ended longer ago than their task's ``keep``. Ninety days later, remove their history too.

    Each transaction removes at most ``batch`` jobs. When ``stop`` returns True, the purge ends. Locked jobs
    stay for a later purge. Returns the number of removed jobs.
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


def do(conn: Connection, names: Collection[str]) -> None:
    """Do the named chores. If several processes try a chore at the same time, only the first does it.

    ``rescue`` puts lost processes' jobs back into the queue. ``expire`` cancels jobs whose start deadline has passed.
    ``revert`` ends overrides of jobs.yaml that have expired. ``gather`` moves jobs to their task's new name or
    queue, and cancels jobs of removed tasks.
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
