"""Wait for jobs to end: one connection of the process listens for all callers, and polls as a backstop."""

from __future__ import annotations

import os
import select
import threading
from contextlib import closing
from time import monotonic, sleep
from typing import TYPE_CHECKING

from zeke_jobs.client import drivers
from zeke_jobs.client.plans import Database
from zeke_jobs.postgres.pool import DISCONNECTED, can_listen, connect
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.postgres.pool import Pool

CHANNEL = "zeke_jobs.done"
_LINGER = 10.0  # seconds that the connection stays open after the last waiting call


class Listener:
    """Wakes waiting callers when their job has ended.

    Args:
        pool: Connections for polls; one more connection to the same server listens while a call waits.
        poll: Seconds between two polls of the awaited jobs, which find ends without an announcement.
    """

    def __init__(self, pool: Pool, poll: float = 1.0) -> None:
        self.pool = pool
        self.poll = poll
        self._lock = threading.Lock()
        self._waiting: dict[str, list[threading.Event]] = {}
        self._thread: threading.Thread | None = None

    def wait(self, job_id: UUID, deadline: float | None) -> bool:
        """Block until the job has ended (True) or the clock ``time.monotonic`` has reached ``deadline`` (False).

        Raises:
            psycopg2.OperationalError: the database cannot be reached.
        """
        key, event = str(job_id), threading.Event()
        with self._lock:
            self._waiting.setdefault(key, []).append(event)
        try:
            # An earlier end shows in the answer, a later one is announced; a poll finds one that commits at this moment.
            if not drivers.perform(None, Database.ask, "job/await", id=key):
                return True
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="zeke-jobs listener", daemon=True)
                    self._thread.start()
            return event.wait(None if deadline is None else max(0.0, deadline - monotonic()))
        finally:
            with self._lock:
                events = self._waiting.get(key, [])
                if event in events:
                    events.remove(event)
                if not events:
                    self._waiting.pop(key, None)

    def _run(self) -> None:
        while True:
            try:
                with closing(connect(self.pool.url, application_name="zeke-jobs listener")) as conn:
                    self._serve(conn)
                    return
            except DISCONNECTED:
                pass  # callers keep waiting until their own deadline: servers come back
            except Exception:  # noqa: BLE001 (a caller without a deadline would wait for ever; it is logged each time)
                from zeke_jobs.core.logs import get_logger

                get_logger(__name__).exception("looking for the end of jobs failed; it is tried again")
            if self._is_over():
                return
            sleep(self.poll)

    def _is_over(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._thread = None
            return self._thread is None

    def _serve(self, conn: Connection) -> None:
        poll = self.poll
        if can_listen(conn):
            with conn.cursor() as cursor:
                cursor.execute(f'LISTEN "{CHANNEL}"')
        else:
            poll /= 4  # no announcement arrives through a pooler
        last_needed = monotonic()
        next_look = last_needed
        while True:
            with self._lock:
                waiting = list(self._waiting)
            now = monotonic()
            if waiting:
                last_needed = now
            elif now - last_needed >= _LINGER and self._is_over():
                return
            if now >= next_look:
                self._notify(self._ended(conn, waiting))
                next_look = now + poll
            # Notifications that came with an answer do not make the connection readable.
            if not conn.notifies and select.select([conn], [], [], max(0.0, next_look - monotonic()))[0]:
                conn.poll()
            ended = [notify.payload for notify in conn.notifies]
            conn.notifies.clear()
            self._notify(ended)

    @staticmethod
    def _ended(conn: Connection, ids: list[str]) -> list[str]:
        if not ids:
            return []
        with conn.cursor() as cursor:
            cursor.execute(SQL.text("job/ended"), {"ids": ids})
            return [row[0] for row in cursor.fetchall()]

    def _notify(self, ids: list[str]) -> None:
        with self._lock:
            for key in ids:
                for event in self._waiting.pop(key, []):
                    event.set()


_LISTENERS: dict[str | None, Listener] = {}
# Neither the parent's threads nor its connections belong to a forked child.
os.register_at_fork(after_in_child=_LISTENERS.clear)


def listener() -> Listener:
    """The listener of the process's own pool.

    Raises:
        ConfigurationError: ``DATABASE_URL`` is not set.
    """
    pool = drivers.own_pool()
    found = _LISTENERS.get(pool.url)
    if found is None or found.pool is not pool:
        found = _LISTENERS[pool.url] = Listener(pool)
    return found
