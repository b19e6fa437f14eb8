"""The data of the screen, read once a second in one snapshot of the database."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.diagnosis.why import Explanation, explain
from zeke_jobs.errors import JobNotFound
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, connect
from zeke_jobs.postgres.queries import SQL, Row, snapshot

COUNTED = 1_000  # maximum number of queued jobs to count of a task; more would read too many index entries each second
_SAMPLE = 200  # number of ended jobs of a task from which its pace is computed
_ROWS = 100  # maximum number of jobs in a list
_STATEMENTS = {"schedules": "schedule/list", "workers": "fleet/members"}
_STATEMENTS |= {name: f"top/{name}" for name in ("running", "waiting", "failed", "limits")}


@dataclass(frozen=True, slots=True)
class Board:
    """The state at one moment: rows of the statements in sql/queries/top, of ``schedule/list`` and of ``fleet/members``."""

    now: datetime
    environment: str | None
    revision: int
    beat_on: datetime | None
    batches: int = 0
    tasks: Sequence[Row] = ()
    running: Sequence[Row] = ()
    waiting_of: str = ""  # the task of the waiting jobs
    waiting: Sequence[Row] = ()
    failed: Sequence[Row] = ()
    schedules: Sequence[Row] = ()
    limits: Sequence[Row] = ()
    workers: Sequence[Row] = ()
    opened: Explanation | None = None


def read(conn: Connection, task: str = "", job: UUID | None = None) -> Board:
    """Read the board; ``waiting`` has jobs of a task (by default the busiest). Raises JobNotFound if the job is gone."""
    with snapshot(conn):
        head = SQL.only(conn, "top/head")
        tasks = SQL.named(conn, "top/tasks", most=COUNTED + 1, sample=_SAMPLE)
        busiest = max(tasks, key=lambda one: one.active + one.queued, default=None)
        shown = task or (busiest.task if busiest else "")
        rows: dict[str, Any] = {
            name: SQL.named(conn, statement, task=shown, most=_ROWS) for name, statement in _STATEMENTS.items()
        }
        opened = None if job is None else explain(conn, job)
        return Board(**head, tasks=tasks, waiting_of=shown, opened=opened, **rows)


_EVERY = 1.0  # seconds between two readings
_AGAIN = 2.0  # seconds before the next try when the database is unreachable


class Feed:
    """Reads the board again and again. ``look_at`` chooses the task with the waiting jobs, and the job to explain."""

    def __init__(self, url: str) -> None:
        self.newest: Board | None = None  # the last board that was read; None before the first
        self.trouble = ""  # the reason why no newer board could be read; empty if it was read
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
        """Read at once, for example after a command."""
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
            except Exception as error:  # noqa: BLE001 (the screen shows why the board is not updated)
                why = f"could not be read: {type(error).__name__}: "
                if isinstance(error, DISCONNECTED):
                    why = "" if isinstance(error, AddressError) else "the database is unreachable: "
                self.trouble = why + " ".join(str(error).split())
                self._soon.wait(_AGAIN)

    def _read(self, conn: Connection) -> None:
        try:
            self.newest, self.trouble = read(conn, *self._looks_at), ""
        except JobNotFound as error:
            self.trouble, self._looks_at = str(error), (self._looks_at[0], None)
            self.newest = read(conn, *self._looks_at)
