"""The panes of the screen: the columns of each, and the actions on its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.top import rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from zeke_jobs.top.board import Board
    from zeke_jobs.top.rows import Row


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``grow`` is its share of the remaining width; if the pane is narrower than ``least``, it is hidden."""

    title: str
    width: int
    right: bool = False
    grow: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Pane:
    """A pane: its name, its columns, its rows, and the kind of target that ``p`` and ``r`` pause and resume."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Board], list[Row]]
    target: Callable[[Board, str], str | None]
    holds_jobs: bool = False
    empty: str = ""


def _task_of(kind: str) -> Callable[[Board, str], str | None]:
    return lambda _board, key: f"{kind}/{key}"


_JOB = (Column("task", 16, grow=1), Column("job", 9), Column("job", 36, least=110))
PANES = (
    Pane(
        "tasks",
        (
            Column("", 1),
            Column("task", 16, grow=2),
            Column("queue", 10, least=120),
            Column("queued", 7, right=True),
            Column("active", 7, right=True),
            Column("done/m", 7, right=True),
            Column("fail/m", 6, right=True),
            Column("oldest", 7, right=True),
            Column("p50", 6, right=True),
            Column("p95", 6, right=True),
            Column("", 12, grow=3, least=110),
        ),
        rows.tasks,
        _task_of("task"),
        empty="no tasks: the first worker that starts fills the catalogue from jobs.yaml",
    ),
    Pane(
        "running",
        (
            *_JOB,
            Column("for", 7, right=True),
            Column("try", 3, right=True),
            Column("worker", 12, grow=1),
            Column("progress", 14, grow=2),
        ),
        rows.running,
        lambda board, key: next((f"task/{one.task}" for one in board.running if str(one.id) == key), None),
        holds_jobs=True,
        empty="nothing runs",
    ),
    Pane(
        "waiting",
        (
            Column("job", 36),
            Column("waits", 7, right=True),
            Column("pri", 3, right=True),
            Column("key", 4, grow=1),
            Column("", 20, grow=2),
        ),
        rows.waiting,
        lambda board, _key: f"task/{board.waiting_of}",
        holds_jobs=True,
        empty="nothing waits",
    ),
    Pane(
        "failed",
        (*_JOB, Column("ago", 7, right=True), Column("try", 3, right=True), Column("error", 20, grow=3)),
        rows.failed,
        lambda board, key: next((f"task/{one.task}" for one in board.failed if str(one.id) == key), None),
        holds_jobs=True,
        empty="nothing has failed",
    ),
    Pane(
        "schedules",
        (
            Column("task", 16, grow=2),
            Column("cron", 14, grow=2),
            Column("next UTC", 11),
            Column("last UTC", 11),
            Column("", 9, grow=1),
        ),
        rows.schedules,
        _task_of("schedule"),
        empty="no schedules",
    ),
    Pane(
        "limits",
        (Column("limit", 16, grow=1), Column("active", 8, right=True), Column("rate", 14), Column("", 14, grow=2)),
        rows.limits,
        lambda _board, key: key,
        empty="no shared limits",
    ),
    Pane(
        "workers",
        (
            Column("process", 18, grow=2),
            Column("", 9),
            Column("busy", 7, right=True),
            Column("rev", 4, right=True),
            Column("beat", 6, right=True),
            Column("queues", 8, grow=1),
            Column("", 8),
        ),
        rows.workers,
        lambda _board, _key: None,
        empty="nobody runs: dramatiq zeke_jobs.actors, periodiq zeke_jobs.actors",
    ),
)


def by_name(name: str) -> Pane:
    """The pane with this name."""
    return next(pane for pane in PANES if pane.name == name)
