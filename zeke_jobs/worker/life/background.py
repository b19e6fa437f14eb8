"""Runs work that may take long beside the heartbeat, so that the proof of life never waits for it."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from zeke_jobs.core.logs import get_logger
from zeke_jobs.postgres.pool import DISCONNECTED, connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

    Work = Callable[[Connection, Callable[[], bool]], object]


class BackgroundThread:
    """Work of one kind, in its own thread and on its own connection while it lasts; it never runs twice at once.

    Args:
        url: The database; None for the environment's.
        name: Names the thread, the connection (``application_name``) and the log lines.
    """

    def __init__(self, url: str | None, name: str) -> None:
        self._url = url
        self._name = name
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = get_logger(f"zeke_jobs.{name}")

    def start(self, work: Work) -> bool:
        """Begin the work; False when the previous one still runs.

        Args:
            work: Called with an autocommit connection and a function that tells whether to end. Its exceptions are logged.
        """
        if self._thread is not None and self._thread.is_alive():
            return False
        self._thread = threading.Thread(target=self._run, args=(work,), name=self._name, daemon=True)
        self._thread.start()
        return True

    def close(self) -> None:
        """Ask the work to end; ``join`` waits for it."""
        self._closing.set()

    def join(self, timeout: float) -> None:
        """Wait for the work, at most ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, work: Work) -> None:
        try:
            with closing(connect(self._url, application_name=f"zeke-jobs {self._name}")) as conn:
                work(conn, self._closing.is_set)
        except DISCONNECTED as error:
            self._log.warning("left undone: the database is away", error=str(error).strip())
        except Exception:  # noqa: BLE001 (the next time finds the same to do; it is logged each time)
            self._log.exception("failed")
