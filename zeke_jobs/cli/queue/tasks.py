"""Runs ``zeke-jobs tasks``, ``limits``, ``batch`` and ``emit``: shows tasks, limits and batches, and emits events."""

from datetime import timedelta
from typing import Annotated, Any

import zeke_jobs
from zeke_jobs.cli import database, output
from zeke_jobs.cli.options import Json, Limit, argument, read_json
from zeke_jobs.cli.output import bounds, coloured, count, escape, facts, listing, named, print_json, styled, tell
from zeke_jobs.cli.run import usage
from zeke_jobs.client import batches
from zeke_jobs.config import Rate
from zeke_jobs.config.limits import TaskRate
from zeke_jobs.config.models import Task
from zeke_jobs.core.batch import BatchStatus
from zeke_jobs.core.wording import amount_text, format_duration, passed, progress, took, when
from zeke_jobs.postgres.queries import SQL


def tasks(as_json: Json = False) -> None:
    """List the tasks of the revision in force, and count each task's jobs by status."""
    with database.connection("tasks", is_migrated=False) as conn:
        found = [_task(row) for row in SQL.all(conn, "job/counts")]
    columns = named("task=id, queued, active") | {
        "limit": lambda task: bounds(task["limit"], task["per_key"], task["rate"], task["budget"]),
        **named("completed, failed"),
        "waits": lambda task: took(task["oldest_wait"]),
        "cron": lambda task: f"{task['cron']} ({task['timezone']})" if task["cron"] else "",
        **{key: key for key in Task.shown({}) if any(task[key] for task in found)},
        "": lambda task: coloured("yellow", "paused" if task["paused"] else ""),
    }
    numbers = ("queued", "active", "limit", "completed", "failed", "waits")
    empty = "no tasks: the first worker that starts fills the catalogue from jobs.yaml"
    listing(found, columns, right=numbers, empty=empty, as_json=as_json)


def used(unit: dict[str, Any]) -> str:
    """Return how much of a unit or a daily budget is used, such as ``1,500 of 90,000 tokens in 1m``."""
    period = f"in {format_duration(timedelta(seconds=unit['seconds']))}" if unit["seconds"] else "today"
    return f"{amount_text(unit['used'])} of {amount_text(unit['amount'])} {unit['unit']} {period}"


def _task(row: dict[str, Any]) -> dict[str, Any]:
    written, schedules = row.pop("definition"), row.pop("schedules") or []
    rate = written.get("rate")
    return {
        **row,
        **({"limit": None, "per_key": None} | (written.get("concurrency") or {})),
        "rate": str(TaskRate.model_validate(rate)) if rate else None,
        "budget": written.get("budget"),
        "cron": ", ".join(one["at"] for one in schedules) or None,
        "timezone": ", ".join(dict.fromkeys(one["timezone"] for one in schedules)) or None,
        **Task.shown(written),
    }


def limits(as_json: Json = False) -> None:
    """List the shared limits and the budgets in force, with their active jobs, used amounts, maximums and tasks."""
    with database.connection("limits", is_migrated=False) as conn:
        found = [_limit(row) for row in SQL.all(conn, "limits/counts")]
    columns = named("limit=name, active, at most=concurrency, rate") | {
        "used": lambda one: ", ".join(map(used, one["units"])),
        "tasks": "tasks",
        "": lambda one: coloured("yellow", ", ".join(filter(None, ("paused" if one["paused"] else "", one["closed"])))),
    }
    empty = "no task shares a limit or has a budget in the jobs.yaml in force"
    listing(found, columns, right=("active", "at most"), empty=empty, as_json=as_json)


def _limit(row: dict[str, Any]) -> dict[str, Any]:
    count, period = row.pop("rate_count"), row.pop("rate_period")
    rate = str(Rate(count=count, period=period)) if count is not None else None
    opens = ", one job at a time probes" if row.pop("probes") else f" until {when(row['closed_until'])}"
    closed = row["closed_by"] and f"{row['closed_by']}{opens}: {row['closed_why']}"
    return {**row, "rate": rate, "closed": closed}


def batch(
    batch_id: Annotated[str | None, argument("The batch; without it, the newest ones.", "[ID]")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Show a batch: its numbers of unfinished, completed, failed and cancelled jobs, and the job that follows the batch."""
    database.choose()
    if batch_id is None:
        columns = {"batch": "id", "state": lambda one: styled(one.status), "made": lambda one: passed(one.created_on)}
        columns |= {"jobs": lambda one: one.jobs, **named("unfinished, failed, cancelled, then=then_task")}
        right = ("made", "jobs", "unfinished", "failed", "cancelled")
        with usage():
            found = batches.batches(limit=limit)
        listing(found, columns, right=right, empty="no batches", as_json=as_json)
        return
    with usage():
        one = zeke_jobs.batch_status(batch_id)
    if as_json:
        print_json(one)
        return
    jobs = f"{progress({'done': one.finished, 'total': one.jobs, 'note': ''})} ended"
    ends = output.picked(one, "failed, cancelled, made=created_on, ended=ended_on")
    facts(one.id, {"state": one.status, "jobs": jobs, "completed": str(one.completed), **ends, "then": _end(one)})
    if one.status == "held":
        held = f"{count(one.failed, 'failed job')} hold the end up"
        tell(f"  {'':<9} {held}: zeke-jobs retry --batch {escape(one.id)}, or cancel them")


def _end(found: BatchStatus) -> str:
    if found.then_task is None or found.then_job is not None:
        return f"{found.then_task or ''} {found.then_job or ''}".strip()
    not_sent = found.then_outcome and f" was not sent: {found.then_outcome}"
    return found.then_task + (not_sent or ", when the last job has ended")


def emit(
    name: Annotated[str, argument("The event, such as callback/42.", "NAME")],
    data: Annotated[str | None, argument("The event's data, or - for standard input.", "[JSON]")] = None,
) -> None:
    """Emit an event: jobs that wait for the event go on, with the event's data."""
    value = None if data is None else read_json(data, "the data")
    database.choose(writes=True)
    with usage():
        zeke_jobs.emit(name, value)
    tell(f"emitted {escape(name)}")
