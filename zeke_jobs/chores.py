"""Does what may take long beside the heartbeat, in a thread of its own: what was set for a time ends, jobs follow their tasks."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from zeke_jobs import applying, catalogue_rows
from zeke_jobs.logs import get_logger
from zeke_jobs.postgres import DISCONNECTED, connect

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg2.extensions import connection as Connection

_LAST_WORDS = 5.0  # seconds for what is being done at shutdown; then the server takes it back


class Chores:
    """Proof of life never waits for them: they have a thread and a connection of their own for as long as they take."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._thread: threading.Thread | None = None
        self._log = get_logger("zeke_jobs.chores")

    def start(self, names: Collection[str]) -> None:
        """Do those of them that are ours, ``revert`` and ``gather``; not while earlier ones are still being done."""
        ours = {"revert", "gather"}.intersection(names)
        if not ours or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, args=(ours,), name="chores", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait a moment for what is being done."""
        if self._thread is not None:
            self._thread.join(_LAST_WORDS)

    def _run(self, names: Collection[str]) -> None:
        try:
            with closing(connect(self._url, application_name="zeke-jobs chores")) as conn:
                self._do(names, conn)
        except DISCONNECTED as error:
            self._log.warning("chores left undone: the database is away", error=str(error).strip())
        except Exception:  # noqa: BLE001 (a later heartbeat finds the same to do; it is logged each time)
            self._log.exception("chores failed")

    def _do(self, names: Collection[str], conn: Connection) -> None:
        if "revert" in names:
            applying.revert_and_say(conn, self._log)
        if "gather" in names:
            for moved in catalogue_rows.gather(conn):
                self._log.info("jobs follow their task", **moved)
