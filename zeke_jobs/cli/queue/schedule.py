"""Runs ``zeke-jobs schedule`` (list, run, backfill), ``pause``, ``resume`` and ``paused``."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.options import DryRun, Json, Reason, TaskId, argument, option, time
from zeke_jobs.cli.output import Markup, answer, coloured, escape, listing, named, say, styled, tell, tick
from zeke_jobs.cli.run import UsageError, usage
from zeke_jobs.control import actions as control
from zeke_jobs.core.environment import author
from zeke_jobs.core.wording import format_duration
from zeke_jobs.scheduler import dispatch

_MOST = 10_000  # fire times in one answer
app = typer.Typer(help="List, run and backfill the schedules of jobs.yaml.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def schedules(
    context: typer.Context,
    next_: Annotated[tuple[int, str] | None, option("The next N fire times of a task.", "N TASK", "--next")] = None,
    as_json: Json = False,
) -> None:
    """List the schedules in force with their last and next ticks, or the next ticks of one schedule."""
    if context.invoked_subcommand is not None:
        return
    with database.connection("schedule", is_migrated=False) as conn:
        if next_ is not None:
            count, task = next_
            if not 1 <= count <= _MOST:
                raise UsageError(f"expected 1 to {_MOST:,} fire times, got {count}")
            zone = control.find(conn, task).zone
            columns = {zone.key: lambda moment: tick(moment, zone), "local time": tick}
            listing(control.next_ticks(conn, task, count), columns, empty="", as_json=as_json)
        else:
            empty = "no schedules: no task in force has a cron"
            listing(control.listed(conn), _COLUMNS, empty=empty, as_json=as_json)
        passed = dispatch.silence(conn)
    if passed is not None:
        shown = format_duration(timedelta(minutes=passed // timedelta(minutes=1)))
        say(f"warning: no scheduler has run for {shown}; start one: periodiq zeke_jobs.actors", is_trouble=True)


@app.command(short_help="Send one job now, also while paused.")
def run(task: TaskId, as_json: Json = False) -> None:
    """Send one job now with the payload of the schedule, even while the schedule is paused."""
    with database.connection("schedule", writes=True, is_migrated=False) as conn:
        job = control.run_now(conn, task, by=author())
    answer({"id": job}, f"{job} is queued", as_json=as_json)


@app.command(short_help="Send the jobs of the ticks of a past time.")
def backfill(
    task: TaskId,
    from_: Annotated[datetime, time("First moment: ISO 8601, in UTC without a zone.", "--from")],
    to: Annotated[datetime | None, time("Last moment, by default now.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Send the missing jobs for the ticks of a past period."""
    with database.connection("schedule", writes=True, is_migrated=False) as conn, usage():
        ticks = control.backfill(conn, task, from_, to or dispatch.clock(conn), dry_run=dry_run, by=author())
    columns: dict[str, Any] = {"tick": lambda one: f"{one.scheduled_for:%Y-%m-%d %H:%M} UTC"}
    columns |= {"": lambda one: one.reason or ("would be sent" if dry_run else "sent"), **named("job")}
    listing(ticks, columns, empty="no ticks in that time", as_json=as_json)


def _zone(row: dict[str, Any]) -> tzinfo:
    return UTC if row["fault"] else ZoneInfo(row["timezone"])


def _remark(row: dict[str, Any]) -> Markup:
    if row["fault"]:
        return Markup(coloured("red", "never ticks") + escape(f": {row['fault']}"))
    if not row["paused"]:
        return Markup()
    why = f": {row['pause_reason']}" if row["pause_reason"] else ""
    return Markup(coloured("yellow", "paused") + escape(f" by {row['paused_by']} since {tick(row['paused_on'])}{why}"))


_COLUMNS = named("schedule, cron, zone=timezone") | {
    "next": lambda row: "" if row["paused"] else tick(row["next_tick"], _zone(row)),
    "local time": lambda row: "" if row["paused"] else tick(row["next_tick"]),
    "last": lambda row: tick(row["last_tick"], _zone(row)),
    "result": lambda row: row["last_reason"] or styled(row["last_result"] or ""),
    "": _remark,
}

Target = Annotated[str, argument("task/ID, queue/NAME, limit/NAME or schedule/ID.", "TARGET")]


def pause(target: Target, reason: Reason = "") -> None:
    """Start no more jobs of a task, a queue or a shared limit until `zeke-jobs resume`; running jobs go on."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = control.pause(conn, target, by=author(), reason=reason)
        standing = [one for one in control.paused(conn) if one.target == target and one.paused_on]
    stays = [f" by {one.paused_by} ({one.reason or 'no reason given'}); that pause stays" for one in standing[:1]]
    tell(escape(f"{target} is paused" if changed else f"{target} was paused already{''.join(stays)}"))


def resume(target: Target) -> None:
    """End the pause of a task, queue, shared limit or schedule, so that its jobs start again."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = control.resume(conn, target, by=author())
        left = [one for one in control.paused(conn) if target in one.target.split(" or ")]
    if changed:
        tell(escape(f"{target} is resumed"))
    elif not any(one.set_key for one in left):
        tell(escape(f"{target} was not paused by anybody"))
    for one in left:
        by_hand = f"stays paused by {one.paused_by}; zeke-jobs set --clear {one.set_key} ends it"
        by_file = "stays paused: jobs.yaml says so, for itself or for a limit that it uses"
        tell(escape(f"{target} {by_hand if one.set_key else by_file}"))


def paused(as_json: Json = False) -> None:
    """List all pauses, with their authors, reasons and numbers of waiting jobs."""
    with database.connection("pause", is_migrated=False) as conn:
        found = control.paused(conn)
    columns = named("target, by=paused_by, since=paused_on, until=ends_on")
    columns |= {"waiting": lambda one: one.waiting, "reason": "reason"}
    listing(found, columns, right=("waiting",), empty="nothing is paused", as_json=as_json)
