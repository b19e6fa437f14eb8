"""Reads the board once a second in its own thread, so that a slow database never delays a key."""

import threading
from contextlib import closing
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.errors import JobNotFound
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, connect
from zeke_jobs.top import board
from zeke_jobs.top.board import Board

_EVERY = 1.0  # seconds between two readings
_AGAIN = 2.0  # seconds before the next try when the database is away


class Feed:
    """The newest board. ``look_at`` chooses the task whose waiting jobs it has, and the job that it explains.

    Attributes:
        newest: The last board read; None before the first.
        trouble: The reason why no newer board could be read; empty without trouble.
    """

    def __init__(self, url: str) -> None:
        self.newest: Board | None = None
        self.trouble = ""
        self._url, self._ends, self._soon = url, False, threading.Event()
        self._looks_at: tuple[str, UUID | None] = "", None
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def close(self) -> None:
        """Stop reading."""
        self._ends = True
        self._soon.set()

    def look_at(self, task: str, job: UUID | None) -> None:
        """From now on, read this task's waiting jobs and this job's explanation."""
        if (task, job) != self._looks_at:
            self._looks_at = task, job
            self._soon.set()

    def refresh(self) -> None:
        """Read at once, as after a command."""
        self._soon.set()

    def _run(self) -> None:
        while not self._ends:
            self._soon.clear()
            try:
                with closing(connect(self._url, application_name="zeke-jobs top")) as conn:
                    while not self._ends:
                        self._soon.clear()
                        self._read(conn)
                        self._soon.wait(_EVERY)
            except Exception as error:  # noqa: BLE001 (a board that stands still says why)
                said = " ".join(str(error).split())
                is_away = isinstance(error, DISCONNECTED) and not isinstance(error, AddressError)
                why = "the database is away" if is_away else f"could not be read: {type(error).__name__}"
                self.trouble = said if isinstance(error, AddressError) else f"{why}: {said}"
                self._soon.wait(_AGAIN)

    def _read(self, conn: Connection) -> None:
        try:
            self.newest, self.trouble = board.read(conn, *self._looks_at), ""
        except JobNotFound as error:
            self.trouble, self._looks_at = str(error), (self._looks_at[0], None)
            self.newest = board.read(conn, *self._looks_at)
