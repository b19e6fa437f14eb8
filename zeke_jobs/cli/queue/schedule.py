"""``zeke-jobs schedule`` lists, runs and backfills schedules; ``pause``, ``resume`` and ``paused`` hold work back."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from psycopg2.extensions import connection as Connection

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import Markup, coloured, escape, listing, print_json, say, styled, tell, when
from zeke_jobs.cli.run import usage
from zeke_jobs.control import actions as control
from zeke_jobs.core.environment import author
from zeke_jobs.core.wording import format_duration
from zeke_jobs.scheduler import dispatch

app = typer.Typer(help="List, run and backfill the schedules of jobs.yaml.", rich_markup_mode=None)
Task = Annotated[str, options.argument("Id or alias of a task.", "TASK")]


@app.callback(invoke_without_command=True)
def schedules(
    context: typer.Context,
    next_: Annotated[
        tuple[int, str] | None, options.option("The next N fire times of a task.", "N TASK", "--next")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the schedules in force with their last and next ticks, or the next ticks of one schedule."""
    if context.invoked_subcommand is not None:
        return
    with database.connection("schedule", is_migrated=False) as conn:
        if next_ is not None:
            count, task = next_
            zone = control.find(conn, task).zone
            columns = {zone.key: lambda tick: _in(tick, zone), "local time": lambda tick: _in(tick, None)}
            listing(control.next_ticks(conn, task, count), columns, empty="", as_json=as_json)
        else:
            _show_all(conn, as_json=as_json)
        _warn_of_silence(conn)


@app.command(short_help="Send one job now, also while paused.")
def run(task: Task, as_json: options.Json = False) -> None:
    """Send one job now with the payload of the schedule, also while it is paused."""
    with database.connection("schedule", writes=True, is_migrated=False) as conn:
        job = control.run_now(conn, task, by=author())
    if as_json:
        print_json({"id": job})
    else:
        tell(f"{job} is queued")


@app.command(short_help="Send the jobs of the ticks of a past time.")
def backfill(
    task: Task,
    from_: Annotated[datetime, options.time("First moment: ISO 8601, in UTC without a zone.", "--from")],
    to: Annotated[datetime | None, options.time("Last moment, by default now.")] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Send the missing jobs for the ticks of a past time."""
    with database.connection("schedule", writes=True, is_migrated=False) as conn, usage():
        ticks = control.backfill(conn, task, from_, to or dispatch.clock(conn), dry_run=dry_run, by=author())
    columns = {
        "tick": lambda tick: f"{tick.scheduled_for:%Y-%m-%d %H:%M} UTC",
        "": lambda tick: tick.reason or ("would be sent" if dry_run else "sent"),
        "job": lambda tick: tick.job,
    }
    listing(ticks, columns, empty="no ticks in that time", as_json=as_json)


def _show_all(conn: Connection, *, as_json: bool) -> None:
    columns = {
        "schedule": lambda row: row["schedule"],
        "cron": lambda row: row["cron"],
        "zone": lambda row: row["timezone"],
        "next": lambda row: "" if row["paused"] else _in(row["next_tick"], _zone(row)),
        "local time": lambda row: "" if row["paused"] else _in(row["next_tick"], None),
        "last": lambda row: _in(row["last_tick"], _zone(row)),
        "result": lambda row: row["last_reason"] or styled(row["last_result"] or ""),
        "": _remark,
    }
    listing(control.listed(conn), columns, empty="no schedules: no task in force has a cron", as_json=as_json)


def _zone(row: dict[str, Any]) -> tzinfo:
    return UTC if row["fault"] else ZoneInfo(row["timezone"])


def _remark(row: dict[str, Any]) -> Markup:
    if row["fault"]:
        return Markup(coloured("red", "never ticks") + escape(f": {row['fault']}"))
    if not row["paused"]:
        return Markup()
    why = f": {row['pause_reason']}" if row["pause_reason"] else ""
    return Markup(
        coloured("yellow", "paused") + escape(f" by {row['paused_by']} since {_in(row['paused_on'], None)}{why}")
    )


def _in(moment: datetime | None, zone: tzinfo | None) -> str:
    """A moment in a time zone, by default this machine's."""
    return "" if moment is None else f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _warn_of_silence(conn: Connection) -> None:
    passed = dispatch.silence(conn)
    if passed is not None:
        shown = format_duration(timedelta(minutes=passed // timedelta(minutes=1)))
        say(f"warning: no scheduler has run for {shown}; start one: periodiq zeke_jobs.actors", is_trouble=True)


Target = Annotated[str, options.argument("task/ID, queue/NAME, limit/NAME or schedule/ID.", "TARGET")]


def pause(target: Target, reason: options.Reason = "") -> None:
    """Start no more jobs of a task, a queue or a shared limit until it is resumed; running jobs go on."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = control.pause(conn, target, by=author(), reason=reason)
        standing = [] if changed else [one for one in control.paused(conn) if one.target == target and one.paused_on]
    if changed:
        tell(f"{escape(target)} is paused")
        return
    one = standing[0] if standing else None
    stays = f" by {one.paused_by} ({one.reason or 'no reason given'}); that pause stays" if one else ""
    tell(escape(f"{target} was paused already{stays}"))


def resume(target: Target) -> None:
    """Start jobs of a paused task, queue or shared limit again."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = control.resume(conn, target, by=author())
        left = [one for one in control.paused(conn) if target in one.target.split(" or ")]
    if changed:
        tell(f"{escape(target)} is resumed")
    elif not any(one.set_key for one in left):
        tell(f"{escape(target)} was not paused by anybody")
    for one in left:
        if one.set_key:
            tell(
                f"{escape(target)} stays paused by {escape(one.paused_by)}; zeke-jobs set --clear {escape(one.set_key)} ends it"
            )
        else:
            tell(f"{escape(target)} stays paused: jobs.yaml says so, for itself or for a limit that it uses")


def paused(as_json: options.Json = False) -> None:
    """List all pauses, with their authors, reasons and numbers of waiting jobs."""
    with database.connection("pause", is_migrated=False) as conn:
        found = control.paused(conn)
    columns = {
        "target": lambda one: one.target,
        "by": lambda one: one.paused_by,
        "since": lambda one: when(one.paused_on),
        "until": lambda one: when(one.ends_on),
        "waiting": lambda one: one.waiting,
        "reason": lambda one: one.reason,
    }
    listing(found, columns, right=("waiting",), empty="nothing is paused", as_json=as_json)
