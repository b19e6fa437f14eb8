"""The data of the screen, read in one snapshot of the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.diagnosis.why import Explanation, explain
from zeke_jobs.postgres.queries import SQL, Row

COUNTED = 1_000  # queued jobs of a task: a larger count would read too many entries each second
_SAMPLE = 200  # ended jobs of a task from which its pace is computed
_ROWS = 100  # jobs of a list


@dataclass(frozen=True, slots=True)
class Board:
    """The state at one moment: rows of the statements in sql/queries/top, of ``schedule/list`` and of ``fleet/members``.

    ``waiting`` are jobs of the task ``waiting_of``; ``opened`` explains the opened job.
    """

    now: datetime
    environment: str | None
    revision: int
    beat_on: datetime | None
    batches: int = 0
    tasks: Sequence[Row] = ()
    running: Sequence[Row] = ()
    waiting_of: str = ""
    waiting: Sequence[Row] = ()
    failed: Sequence[Row] = ()
    schedules: Sequence[Row] = ()
    limits: Sequence[Row] = ()
    workers: Sequence[Row] = ()
    opened: Explanation | None = None


def read(conn: Connection, task: str = "", job: UUID | None = None) -> Board:
    """Read the board, with the waiting jobs of one task (by default the busiest) and the explanation of one job.

    Raises:
        JobNotFound: the job is gone.
    """
    with snapshot(conn):
        head = SQL.only(conn, "top/head")
        tasks = SQL.named(conn, "top/tasks", most=COUNTED + 1, sample=_SAMPLE)
        busiest = max(tasks, key=lambda one: one.active + one.queued, default=None)
        shown = task or (busiest.task if busiest else "")
        return Board(
            **head,
            tasks=tasks,
            running=SQL.named(conn, "top/running", most=_ROWS),
            waiting_of=shown,
            waiting=SQL.named(conn, "top/waiting", task=shown, most=_ROWS),
            failed=SQL.named(conn, "top/failed", most=_ROWS),
            schedules=SQL.named(conn, "schedule/list"),
            limits=SQL.named(conn, "top/limits"),
            workers=SQL.named(conn, "fleet/members"),
            opened=None if job is None else explain(conn, job),
        )
