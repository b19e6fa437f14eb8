"""Makes the panes' rows from a board."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zeke_jobs.core.units import amount_text
from zeke_jobs.core.wording import one_line, place, span
from zeke_jobs.top import figures
from zeke_jobs.top.board import COUNTED

if TYPE_CHECKING:
    from datetime import datetime

    from zeke_jobs.top.board import Board, LimitLine, ScheduleLine, TaskLine, WaitingLine

LATE, PAUSED, BAD, DIM = "bold red", "yellow", "red", "dim"


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its subject, its cells in the order of the columns, and styles of single cells by number."""

    key: str
    cells: tuple[str, ...]
    style: str = ""
    styles: dict[int, str] = field(default_factory=dict)


def tasks(board: Board) -> list[Row]:
    """One row for each task."""
    return [_task(line) for line in board.tasks]


def _task(line: TaskLine) -> Row:
    mark = "!" if line.is_late else "‖" if line.paused else ""
    queued = figures.number(line.queued) if line.is_counted else f"{COUNTED:,}+"
    active = f"{line.active}/{line.active_limit}" if line.active_limit is not None else figures.number(line.active)
    wait = "" if line.wait is None else span(line.wait)
    note = f"paused: {line.paused}" if line.paused else ""
    if line.is_late and line.max_wait is not None:
        note = f"waits longer than {span(line.max_wait)}"
    cells = (
        mark,
        line.task,
        line.queue,
        queued,
        active,
        figures.number(line.done_per_minute),
        figures.number(line.failed_per_minute),
        wait,
        figures.seconds(line.p50),
        figures.seconds(line.p95),
        note,
    )
    styles = {6: BAD}
    if line.is_late:
        styles |= {0: LATE, 1: LATE, 7: LATE, 10: LATE}
    elif line.paused:
        styles |= {0: PAUSED, 1: PAUSED, 10: PAUSED}
    if line.active_limit is not None and line.active >= line.active_limit > 0:
        styles[4] = "bold"
    return Row(line.task, cells, styles=styles)


def running(board: Board) -> list[Row]:
    """One row for each active job."""
    return [
        Row(
            str(one.id),
            (
                one.task,
                _short(str(one.id)),
                str(one.id),
                figures.passed(one.since, board.now),
                str(one.attempt or 1),
                place(one.host, one.pid),
                "being cancelled" if one.is_stopping else one_line(figures.progress(one.progress)),
            ),
            styles={6: PAUSED if one.is_stopping else ""},
        )
        for one in board.running
    ]


def waiting(board: Board) -> list[Row]:
    """One row for each queued job of one task."""
    return [
        Row(
            str(one.id),
            (
                str(one.id),
                figures.passed(one.run_at, board.now) if one.run_at <= board.now else "",
                str(one.priority or ""),
                one.key if one.key and one.key != str(one.id) else "",
                _why_waiting(one, board),
            ),
            style=DIM if one.run_at > board.now else "",
        )
        for one in board.waiting
    ]


def _why_waiting(one: WaitingLine, board: Board) -> str:
    due = figures.day_and_clock(one.run_at, board.now)
    if one.waiting_for:
        return one_line(f"deferred until {due}: {one.waiting_for}")
    if one.deaths > 1:
        return f"must run alone: {one.deaths} of its workers died"
    if one.run_at > board.now:
        return f"{'next attempt' if one.attempt else 'not before'} {due}"
    return f"attempt {one.attempt + 1}" if one.attempt else ""


def failed(board: Board) -> list[Row]:
    """One row for each of the newest failed jobs."""
    return [
        Row(
            str(one.id),
            (
                one.task,
                _short(str(one.id)),
                str(one.id),
                figures.passed(one.completed_on, board.now),
                str(one.attempt),
                one_line(": ".join(part for part in (one.type, one.message) if part)),
            ),
            styles={5: BAD},
        )
        for one in board.failed
    ]


def schedules(board: Board) -> list[Row]:
    """One row for each schedule."""
    return [_schedule(one, board) for one in board.schedules]


def _schedule(one: ScheduleLine, board: Board) -> Row:
    cells = (
        one.schedule,
        one.cron if one.timezone == "UTC" else f"{one.cron} {one.timezone}",
        "paused" if one.paused_by else figures.day_and_clock(one.next_tick, board.now),
        figures.day_and_clock(one.last_tick, board.now),
        f"paused by {one.paused_by}" if one.paused_by else one.last_result or "",
    )
    styles = {2: PAUSED, 4: PAUSED} if one.paused_by else {4: BAD if one.last_result == "failed" else ""}
    return Row(one.schedule, cells, styles=styles)


def limits(board: Board) -> list[Row]:
    """One row for each shared limit, and each task with a budget."""
    return [_limit(one, board.now) for one in board.limits]


def _limit(one: LimitLine, now: datetime) -> Row:
    rates = [f"{one.rate_count} in {span(one.rate_period)}"] if one.rate_count and one.rate_period else []
    used = [f"{amount_text(unit['used'])}/{amount_text(unit['amount'])} {unit['unit']}" for unit in one.units or ()]
    rate = ", ".join([*rates, *used])
    opens = "" if one.next_on is None else f"next {figures.clock(one.next_on)}"
    active = str(one.active) if one.concurrency is None else f"{one.active}/{one.concurrency}"
    closed = ""
    if one.closed_by and one.closed_until:
        opens_later = one.closed_until > now
        closed = (
            f"{one.closed_by} until {figures.clock(one.closed_until)}" if opens_later else f"{one.closed_by}: probes"
        )
    note = f"paused by {one.paused_by}" if one.paused_by else closed or opens
    full = one.concurrency is not None and one.active >= one.concurrency
    return Row(
        one.name, (one.name.removeprefix("limit/"), active, rate, note), styles={1: "bold" if full else "", 3: PAUSED}
    )


def workers(board: Board) -> list[Row]:
    """One row for each process."""
    return [
        Row(
            str(one.id),
            (
                place(one.host, one.pid),
                one.kind,
                f"{one.busy}/{one.threads}" if one.kind == "worker" else "",
                str(one.revision),
                figures.passed(one.heartbeat_on, board.now),
                ", ".join(one.queues),
                "lost" if one.is_late else "stopping" if one.stopping else "",
            ),
            styles={3: PAUSED if one.revision != board.revision else "", 4: LATE if one.is_late else "", 6: LATE},
        )
        for one in board.workers
    ]


def _short(job_id: str) -> str:
    """The end of an id, which differs between jobs; the beginning is the time."""
    return f"…{job_id[-8:]}"
