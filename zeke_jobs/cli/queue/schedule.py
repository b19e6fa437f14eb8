"""``zeke-jobs schedule``: what is sent when, and the hand on it."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, print_json, say, styled, table
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.scheduler.rules import Tick

app = typer.Typer(help="List, pause, resume, run and backfill the schedules of jobs.yaml.", rich_markup_mode=None)
Task = Annotated[str, typer.Argument(metavar="TASK", help="Id or alias of a task.", show_default=False)]


@app.callback(invoke_without_command=True)
def schedules(
    context: typer.Context,
    next_: Annotated[
        tuple[int, str] | None, typer.Option("--next", metavar="N TASK", help="The next N fire times of a task.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the schedules in force with their last and next ticks, or what comes next of one."""
    if context.invoked_subcommand is not None:
        return
    with _connection() as conn:
        if next_ is not None:
            _show_next(conn, *next_, as_json=as_json)
        else:
            _show_all(conn, as_json=as_json)
        _warn_of_silence(conn)


@app.command(short_help="Send one job now, also while paused.")
def run(task: Task, as_json: options.Json = False) -> None:
    """Send one job now with the payload of the schedule, also while it is paused."""
    from zeke_jobs.control import schedules
    from zeke_jobs.revisions.boot import author

    with _connection(to_write=True) as conn:
        job = schedules.run_now(conn, task, by=author())
    if as_json:
        print_json({"id": job})
    else:
        console().print(f"{job} is queued", soft_wrap=True)


@app.command(short_help="Send no more ticks of a task until it is resumed.")
def pause(
    task: Task, reason: Annotated[str, typer.Option(metavar="WHY", help="Kept with the pause, for people.")] = ""
) -> None:
    """Send no more ticks of a task until it is resumed; outlives restarts and new files."""
    from zeke_jobs.control import schedules
    from zeke_jobs.revisions.boot import author

    with _connection(to_write=True) as conn:
        changed = schedules.pause(conn, task, by=author(), reason=reason)
    console().print(f"the schedule of {escape(task)} {'is paused' if changed else 'was paused already'}")


@app.command(short_help="Send ticks again from now on.")
def resume(task: Task) -> None:
    """Send ticks again from now on; those of the pause are not made up for (see backfill)."""
    from zeke_jobs.control import schedules
    from zeke_jobs.revisions.boot import author

    with _connection(to_write=True) as conn:
        changed = schedules.resume(conn, task, by=author())
    console().print(f"the schedule of {escape(task)} {'is resumed' if changed else 'was not paused'}")


@app.command(short_help="Send the jobs of the ticks of a past time.")
def backfill(
    task: Task,
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="First moment: ISO 8601, in UTC unless it says otherwise.")
    ],
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Last moment, by default now.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which ticks would be sent.")] = False,
    as_json: options.Json = False,
) -> None:
    """Send the jobs of the ticks of a past time, each that has none."""
    from zeke_jobs.control import schedules
    from zeke_jobs.revisions.boot import author
    from zeke_jobs.scheduler import dispatch

    start = options.moment(from_)
    with _connection(to_write=True) as conn:
        end = dispatch.clock(conn) if to is None else options.moment(to)
        try:
            ticks = schedules.backfill(conn, task, start, end, dry_run=dry_run, by=author())
        except ValueError as error:
            raise UsageError(str(error)) from error
    if as_json:
        print_json(ticks)
    else:
        _show_ticks(ticks, dry_run=dry_run)


@contextmanager
def _connection(*, to_write: bool = False) -> Iterator[Connection]:
    from zeke_jobs.postgres.pool import connect

    url = database.choose_to_write() if to_write else database.choose()
    with closing(connect(url, application_name="zeke-jobs schedule")) as conn:
        yield conn


def _show_all(conn: Connection, *, as_json: bool) -> None:
    from zeke_jobs.control import schedules

    rows = schedules.listed(conn)
    if as_json:
        print_json(rows)
        return
    shown = table("task", "cron", "zone", "next", "local time", "last", "result", "")
    for row in rows:
        zone = ZoneInfo(row["timezone"])
        shown.add_row(
            escape(row["task"]),
            escape(row["cron"]),
            escape(row["timezone"]),
            "" if row["paused"] else _in(row["next_tick"], zone),
            "" if row["paused"] else _in(row["next_tick"], None),
            _in(row["last_tick"], zone),
            escape(row["last_reason"] or "") or styled(row["last_result"] or ""),
            _paused(row),
        )
    console().print(shown if rows else "no schedules: no task in force has a cron")


def _paused(row: dict[str, Any]) -> str:
    if not row["paused"]:
        return ""
    reason = f": {row['pause_reason']}" if row["pause_reason"] else ""
    return f"[yellow]paused[/] by {escape(row['paused_by'])} since {_in(row['paused_on'], None)}{escape(reason)}"


def _show_next(conn: Connection, count: int, task: str, *, as_json: bool) -> None:
    from zeke_jobs.control import schedules

    zone = schedules.find(conn, task).timetable.zone
    ticks = schedules.next_ticks(conn, task, count)
    if as_json:
        print_json(ticks)
        return
    shown = table(zone.key, "local time")
    for tick in ticks:
        shown.add_row(_in(tick, zone), _in(tick, None))
    console().print(shown)


def _show_ticks(ticks: list[Tick], *, dry_run: bool) -> None:
    shown = table("tick", "", "job")
    for tick in ticks:
        what = tick.reason or ("would be sent" if dry_run else "sent")
        shown.add_row(f"{tick.scheduled_for:%Y-%m-%d %H:%M} UTC", escape(what), str(tick.job or ""))
    console().print(shown if ticks else "no ticks in that time")


def _in(moment: datetime | None, zone: ZoneInfo | None) -> str:
    """A moment in a zone, by default this machine's."""
    return "" if moment is None else f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _warn_of_silence(conn: Connection) -> None:
    from zeke_jobs.scheduler import dispatch

    passed = dispatch.silence(conn)
    if passed is not None:
        shown = format_duration(timedelta(minutes=passed // timedelta(minutes=1)))
        say(f"warning: no scheduler has beaten for {shown}; start one: periodiq zeke_jobs.actors", is_trouble=True)
