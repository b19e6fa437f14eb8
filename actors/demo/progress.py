"""Follow the jobs until all have ended: a live table on a terminal, else a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table

from actors.demo.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.cli.output import Console

STATUSES = ("created", "active", "retry", "completed", "failed", "cancelled")
_UNFINISHED = ("created", "active", "retry")
_STYLES = {"active": "yellow", "retry": "magenta", "completed": "green", "failed": "red", "cancelled": "red"}
_LOOK = 0.15  # seconds between two looks at the database
_SETTLED = 0.6  # seconds without unfinished jobs that count as the end
_LINE = 1.0  # seconds between two lines without a terminal

Counts = dict[str, dict[str, int]]


def counts(conn: Connection) -> Counts:
    """Number of jobs by task and status."""
    found: Counts = {}
    for row in SQL.all(conn, "jobs_by_task"):
        found.setdefault(row["task"], {})[row["status"]] = row["jobs"]
    return found


def table(found: Counts, title: str) -> Table:
    """Jobs by task and status, as a table with a sum."""
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    shown.add_column("task")
    for status in STATUSES:
        shown.add_column(status, justify="right", style=_STYLES.get(status, ""))
    for task in sorted(found):
        shown.add_row(task, *(_number(found[task].get(status, 0)) for status in STATUSES))
    shown.add_section()
    sums = (sum(row.get(status, 0) for row in found.values()) for status in STATUSES)
    shown.add_row("all", *map(_number, sums))
    return shown


def follow(
    conn: Connection, console: Console, step: Callable[[], None], is_done: Callable[[Counts], bool], limit: float
) -> bool:
    """Call ``step`` and show the counts until ``is_done`` has held for a moment; False if ``limit`` seconds pass before.

    ``step`` may raise; nothing is caught.
    """
    begin = time.monotonic()
    quiet_since: float | None = None
    with Live(console=console, transient=True, auto_refresh=False) as live:
        last_line = begin
        while (elapsed := time.monotonic() - begin) < limit:
            step()
            found = counts(conn)
            if console.is_terminal:
                live.update(table(found, f"Jobs after {elapsed:.0f} s"), refresh=True)
            elif time.monotonic() - last_line >= _LINE:
                last_line = time.monotonic()
                console.print(line(found, elapsed), highlight=False, soft_wrap=True)
            if not is_done(found):
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= _SETTLED:
                return True
            time.sleep(_LOOK)
    return False


def is_quiet(found: Counts) -> bool:
    """Whether no job waits or runs."""
    return not any(row.get(status) for row in found.values() for status in _UNFINISHED)


def line(found: Counts, elapsed: float) -> str:
    """The counts in one line."""
    sums = {status: sum(row.get(status, 0) for row in found.values()) for status in STATUSES}
    busy = [task for task in sorted(found) if any(found[task].get(status) for status in _UNFINISHED)]
    parts = ", ".join(f"{number} {status}" for status, number in sums.items() if number)
    return f"{elapsed:5.1f} s  {parts or 'no jobs yet'}" + (f"  ({', '.join(busy)})" if busy else "")


def _number(value: int) -> str:
    return str(value) if value else "·"
