"""Removes finished jobs whose time is over, in a thread of its own now and then, one process of the fleet at a time."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from zeke_jobs.logs import get_logger
from zeke_jobs.postgres import DISCONNECTED, connect
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

EVERY = 60.0  # seconds
_BATCH = 1_000  # jobs; some 15 ms
_LAST_WORDS = 5.0  # seconds for the last batch at shutdown


class Retention:
    """Asks once a minute whether it is this process's turn, and purges then until nothing is left.

    Neither the heartbeat nor a claim waits for it: it has a thread and a connection of its own for as long as it takes.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        # Not all processes of a fleet at once, which boot at once.
        self._due = time.monotonic() + random.uniform(0, EVERY)  # noqa: S311 (it spreads load, no secrets)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = get_logger("zeke_jobs.retention")

    def tick(self) -> None:
        """Start the thread when the minute is over; called at every heartbeat."""
        if time.monotonic() < self._due or (self._thread is not None and self._thread.is_alive()):
            return
        self._due = time.monotonic() + EVERY
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after the batch that is being removed."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def _run(self) -> None:
        try:
            with closing(connect(self._url, application_name="zeke-jobs retention")) as conn:
                count = take_turn(conn, self._closing.is_set)
        except DISCONNECTED as error:
            self._log.warning("nothing purged: the database is away", error=str(error).strip())
        except Exception:  # noqa: BLE001 (the next turn tries again; it is logged each time)
            self._log.exception("purge failed")
        else:
            if count:
                self._log.info("purged", count=count)


def take_turn(conn: Connection, stop: Callable[[], bool] = lambda: False) -> int:
    """Purge, unless another process has done so within the last minute; returns how many jobs were removed."""
    if not SQL.run(conn, "retention_take_turn", seconds=EVERY, again=False):
        return 0
    SQL.run(conn, "lease_forget")
    return purge(conn, stop)


def purge(conn: Connection, stop: Callable[[], bool] = lambda: False, *, batch: int = _BATCH) -> int:
    """Remove the jobs of each task that ended longer ago than its ``keep`` says, and what the history has had for ninety days.

    Each batch commits by itself. A job that somebody holds at that moment is left for the next time.

    Args:
        conn: An autocommit connection.
        stop: Asked after each batch whether to end.
        batch: Jobs to remove at once.

    Returns:
        How many jobs were removed.
    """
    total = 0
    for overdue in SQL.all(conn, "retention_overdue"):
        reached = "-infinity"
        while not stop():
            row = SQL.one(conn, "retention_purge", after=reached, limit=batch, **overdue)
            assert row is not None
            total += row["purged"]
            if row["purged"] < batch:
                break
            reached = row["reached"]
            SQL.run(conn, "retention_take_turn", seconds=EVERY, again=True)
    while not stop() and SQL.run(conn, "history_forget", limit=batch) == batch:
        pass
    return total
