"""The data of the screen, read in one snapshot of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeke_jobs.diagnosis import facts
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.diagnosis.why import Explanation, explain
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

COUNTED = 1_000  # queued jobs of a task; larger counts come from ``depths``
_SAMPLE = 200  # ended jobs of a task from which its pace is computed
_ROWS = 100  # jobs of a list


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task's figures: ends per minute, p50 and p95 in seconds. Unless ``is_counted``, more jobs are queued than the count."""

    task: str
    queue: str
    queued: int
    active: int
    active_limit: int | None
    done_per_minute: float | None
    failed_per_minute: float | None
    p50: float | None
    p95: float | None
    wait: timedelta | None
    max_wait: timedelta | None
    is_late: bool
    paused: str | None
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class RunningLine:
    """An active job."""

    id: UUID
    task: str
    since: datetime
    attempt: int
    progress: dict[str, Any] | None
    is_stopping: bool
    host: str | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A queued job."""

    id: UUID
    attempt: int
    deaths: int
    priority: int
    run_at: datetime
    key: str | None
    waiting_for: str | None


@dataclass(frozen=True, slots=True)
class FailedLine:
    """A failed job and its last error."""

    id: UUID
    task: str
    attempt: int
    completed_on: datetime
    type: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A schedule with its last and next tick."""

    schedule: str
    cron: str
    timezone: str
    last_tick: datetime | None
    last_result: str | None
    next_tick: datetime | None
    paused_by: str | None


@dataclass(frozen=True, slots=True)
class LimitLine:
    """A limit that tasks share, or a task with a budget."""

    name: str
    concurrency: int | None
    active: int
    rate_count: int | None
    rate_period: timedelta | None
    next_on: datetime | None
    paused_by: str | None
    closed_by: str | None = None
    closed_until: datetime | None = None
    units: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class WorkerLine:
    """A worker or scheduler process."""

    id: UUID
    kind: str
    host: str
    pid: int
    version: str
    revision: int
    queues: list[str]
    threads: int
    busy: int
    stopping: bool
    heartbeat_on: datetime
    is_late: bool


@dataclass(frozen=True, slots=True)
class Board:
    """The state at one moment. ``waiting`` are jobs of the task ``waiting_of``; ``opened`` explains the opened job."""

    now: datetime
    environment: str | None
    revision: int
    beat_on: datetime | None
    batches: int = 0
    tasks: tuple[TaskLine, ...] = ()
    running: tuple[RunningLine, ...] = ()
    waiting_of: str = ""
    waiting: tuple[WaitingLine, ...] = ()
    failed: tuple[FailedLine, ...] = ()
    schedules: tuple[ScheduleLine, ...] = ()
    limits: tuple[LimitLine, ...] = ()
    workers: tuple[WorkerLine, ...] = ()
    opened: Explanation | None = None


def read(conn: Connection, task: str = "", job: UUID | None = None) -> Board:
    """Read the board, with the waiting jobs of one task (by default the busiest) and the explanation of one job.

    Raises:
        JobNotFound: the job is gone.
    """
    with snapshot(conn):
        head = SQL.one(conn, "top/head")
        assert head is not None
        tasks = tuple(
            TaskLine(**row, is_counted=row["queued"] <= COUNTED)
            for row in SQL.all(conn, "top/tasks", most=COUNTED + 1, sample=_SAMPLE)
        )
        busiest = max(tasks, key=lambda line: line.active + line.queued, default=None)
        shown = task or (busiest.task if busiest else "")
        return Board(
            **head,
            tasks=tasks,
            running=tuple(RunningLine(**row) for row in SQL.all(conn, "top/running", most=_ROWS)),
            waiting_of=shown,
            waiting=tuple(WaitingLine(**row) for row in SQL.all(conn, "top/waiting", task=shown, most=_ROWS)),
            failed=tuple(FailedLine(**row) for row in SQL.all(conn, "top/failed", most=_ROWS)),
            schedules=_of(ScheduleLine, SQL.all(conn, "schedule/list")),
            limits=tuple(LimitLine(**row) for row in SQL.all(conn, "top/limits")),
            workers=_of(WorkerLine, SQL.all(conn, "fleet/members")),
            opened=None if job is None else explain(facts.gather(conn, job)),
        )


def depths(conn: Connection, tasks: list[str]) -> dict[str, int]:
    """Exact numbers of these tasks' queued jobs; costs some 0.1 microseconds a job, so it is not read each second."""
    with snapshot(conn):
        return {row["task"]: row["queued"] for row in SQL.all(conn, "top/depths", tasks=tasks)}


def _of(kind: type[Any], rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Objects from rows that have more columns than are shown."""
    return tuple(kind(**{name: row[name] for name in kind.__dataclass_fields__}) for row in rows)
