"""Reads the data that ``zeke-jobs top`` shows, and defines each pane of the screen: its columns, cells and actions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.core.wording import amount_text, one_line, passed, place, progress, span, took
from zeke_jobs.diagnosis.why import Explanation, explain
from zeke_jobs.postgres.queries import SQL, Row, snapshot

COUNTED = 1_000  # maximum number of queued jobs to count of a task; more would read too many index entries each second
_SAMPLE = 200  # number of ended jobs of a task from which its pace is computed
_ROWS = 100  # maximum number of jobs in a list
_STATEMENTS = {"schedules": "schedule/list", "workers": "fleet/members"}
_STATEMENTS |= {name: f"top/{name}" for name in ("running", "waiting", "failed", "limits")}
_LATE, _PAUSED, _BAD = "bold red", "yellow", "red"


@dataclass(frozen=True, slots=True)
class Board:
    """Holds the data of one moment: the rows of the statements in sql/queries/top, ``schedule/list`` and ``fleet/members``."""

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
    """Read the data, with waiting jobs of ``task`` (or of the busiest task). Raises JobNotFound if ``job`` is gone."""
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


@dataclass(frozen=True, slots=True)
class Column:
    """Describes a column of a pane."""

    title: str
    width: int
    cell: Callable[[Any, Board], str]
    style: Callable[[Any, Board], str] = lambda _one, _board: ""
    right: bool = False
    grow: int = 0  # the column's share of the remaining width
    least: int = 0  # minimum width of the pane at which the column is shown
    most: int = 1_000  # width of the pane at which the column is no longer shown


@dataclass(frozen=True, slots=True)
class Pane:
    """Describes a pane of the screen."""

    name: str  # the pane's name, which is also the board's attribute with its rows
    key: str  # the statement's column with the subject of a row
    target: Callable[[Any, Board], str | None]  # the target of a row that ``p`` pauses and ``r`` resumes
    empty: str
    columns: tuple[Column, ...]
    holds_jobs: bool = False
    is_dim: Callable[[Any, Board], bool] = lambda _one, _board: False

    def rows(self, board: Board) -> Sequence[Any]:
        """Return the rows of the pane."""
        rows: Sequence[Any] = getattr(board, self.name)
        return rows

    def keys(self, board: Board) -> list[str]:
        """Return the names or ids that the pane's rows show."""
        return [str(getattr(one, self.key)) for one in self.rows(board)]


def _task(one: Any, _board: Board) -> str:
    return f"task/{one.task}"


def _queued(one: Any, _board: Board) -> str:
    return f"{COUNTED:,}+" if one.queued > COUNTED else number(one.queued)


def _active(one: Any, _board: Board) -> str:
    return number(one.active) if one.active_limit is None else f"{one.active}/{one.active_limit}"


def _note(one: Any, _board: Board) -> str:
    if one.is_late:
        return f"waits longer than {span(one.max_wait)}"
    return f"paused: {one.paused}" if one.paused else ""


def _of_task(one: Any, _board: Board) -> str:
    return _LATE if one.is_late else _PAUSED if one.paused else ""


def _is_full(one: Any, _board: Board) -> str:
    return "bold" if one.active_limit is not None and one.active >= one.active_limit > 0 else ""


def _why_waiting(one: Any, board: Board) -> str:
    due = day_and_clock(one.run_at, board.now)
    if one.waiting_for:
        return one_line(f"deferred until {due}: {one.waiting_for}")
    if one.deaths > 1:
        return f"must run alone: {one.deaths} of its workers died"
    if one.run_at > board.now:
        return f"{'next attempt' if one.attempt else 'not before'} {due}"
    return f"attempt {one.attempt + 1}" if one.attempt else ""


def _rates(one: Any, _board: Board) -> str:
    rates = [f"{one.rate_count} in {span(one.rate_period)}"] if one.rate_count else []
    used = [f"{amount_text(unit['used'])}/{amount_text(unit['amount'])} {unit['unit']}" for unit in one.units or ()]
    return ", ".join([*rates, *used])


def _opens(one: Any, board: Board) -> str:
    if one.paused_by:
        return f"paused by {one.paused_by}"
    if one.closed_by and one.closed_until:
        is_later = one.closed_until > board.now
        return f"{one.closed_by} until {clock(one.closed_until)}" if is_later else f"{one.closed_by}: probes"
    return "" if one.next_on is None else f"next {clock(one.next_on)}"


#: A list shows the end of an id, because its beginning is a time.
_JOB = (
    Column("task", 18, lambda one, _: one.task, grow=1),
    Column("job", 9, lambda one, _: f"…{str(one.id)[-8:]}", most=110),
    Column("job", 36, lambda one, _: str(one.id), least=110),
)
PANES = {pane.name: pane for pane in (
    Pane("tasks", "task", _task, "no tasks: the first worker that starts fills the catalogue from jobs.yaml", (
        Column("task", 18, lambda one, _: f"{'!' if one.is_late else '‖' if one.paused else ' '} {one.task}", _of_task,
               grow=2),
        Column("queue", 10, lambda one, _: one.queue, least=120),
        Column("queued", 7, _queued, right=True),
        Column("active", 7, _active, _is_full, right=True),
        Column("done/m", 7, lambda one, _: number(one.done_per_minute), right=True),
        Column("fail/m", 6, lambda one, _: number(one.failed_per_minute), lambda *_: _BAD, right=True),
        Column("oldest", 7, lambda one, _: "" if one.wait is None else span(one.wait),
               lambda one, _: _LATE if one.is_late else "", right=True),
        Column("p50", 6, lambda one, _: took(one.p50), right=True),
        Column("p95", 6, lambda one, _: took(one.p95), right=True),
        Column("", 12, _note, _of_task, grow=3, least=110),
    )),
    Pane("running", "id", _task, "nothing runs", (
        *_JOB,
        Column("for", 7, lambda one, board: passed(one.since, board.now), right=True),
        Column("try", 3, lambda one, _: str(one.attempt or 1), right=True),
        Column("worker", 16, lambda one, _: place(one.host, one.pid), grow=1),
        Column("progress", 14,
               lambda one, _: "being cancelled" if one.is_stopping else progress(one.progress),
               lambda one, _: _PAUSED if one.is_stopping else "", grow=2),
    ), holds_jobs=True),
    Pane("waiting", "id", lambda _, board: f"task/{board.waiting_of}", "nothing waits", (
        Column("job", 36, lambda one, _: str(one.id)),
        Column("waits", 7, lambda one, board: passed(one.run_at, board.now) if one.run_at <= board.now else "",
               right=True),
        Column("pri", 3, lambda one, _: str(one.priority or ""), right=True),
        Column("key", 4, lambda one, _: one.key if one.key and one.key != str(one.id) else "", grow=1),
        Column("", 20, _why_waiting, grow=2),
    ), holds_jobs=True, is_dim=lambda one, board: one.run_at > board.now),
    Pane("failed", "id", _task, "nothing has failed", (
        *_JOB,
        Column("ago", 7, lambda one, board: passed(one.completed_on, board.now), right=True),
        Column("try", 3, lambda one, _: str(one.attempt), right=True),
        Column("error", 20, lambda one, _: one_line(": ".join(part for part in (one.type, one.message) if part)),
               lambda *_: _BAD, grow=3),
    ), holds_jobs=True),
    Pane("schedules", "schedule", lambda one, _: f"schedule/{one.schedule}", "no schedules", (
        Column("task", 16, lambda one, _: one.schedule, grow=2),
        Column("cron", 14, lambda one, _: one.cron if one.timezone == "UTC" else f"{one.cron} {one.timezone}", grow=2),
        Column("next UTC", 11,
               lambda one, board: "paused" if one.paused_by else day_and_clock(one.next_tick, board.now),
               lambda one, _: _PAUSED if one.paused_by else ""),
        Column("last UTC", 11, lambda one, board: day_and_clock(one.last_tick, board.now)),
        Column("", 9, lambda one, _: f"paused by {one.paused_by}" if one.paused_by else one.last_result or "",
               lambda one, _: _PAUSED if one.paused_by else _BAD if one.last_result == "failed" else "",
               grow=1),
    )),
    Pane("limits", "name", lambda one, _: one.name, "no shared limits", (
        Column("limit", 16, lambda one, _: one.name.removeprefix("limit/"), grow=1),
        Column("active", 8, _active, _is_full, right=True),
        Column("rate", 14, _rates),
        Column("", 14, _opens, lambda *_: _PAUSED, grow=2),
    )),
    Pane("workers", "id", lambda *_: None, "no process runs: dramatiq zeke_jobs.actors, periodiq zeke_jobs.actors", (
        Column("process", 18, lambda one, _: place(one.host, one.pid), grow=2),
        Column("", 9, lambda one, _: one.kind),
        Column("busy", 7, lambda one, _: f"{one.busy}/{one.threads}" if one.kind == "worker" else "", right=True),
        Column("rev", 4, lambda one, _: str(one.revision),
               lambda one, board: _PAUSED if one.revision != board.revision else "", right=True),
        Column("beat", 6, lambda one, board: passed(one.heartbeat, board.now),
               lambda one, _: _LATE if one.is_late else "", right=True),
        Column("queues", 8, lambda one, _: ", ".join(one.queues), grow=1),
        Column("", 8, lambda one, _: "lost" if one.is_late else "stopping" if one.stopping else "", lambda *_: _LATE),
    )),
)}  # fmt: skip


def number(value: float | None) -> str:
    """Return a number as ``7``, ``0.5`` or ``1,234``, or an empty string for None and 0."""
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def clock(moment: datetime) -> str:
    """Return a time of day, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def day_and_clock(moment: datetime | None, now: datetime) -> str:
    """Return a time of day in UTC, and also the date if it is not today's."""
    if moment is None:
        return ""
    form = "%H:%M:%S" if moment.astimezone(UTC).date() == now.astimezone(UTC).date() else "%m-%d %H:%M"
    return f"{moment.astimezone(UTC):{form}}"
