"""``zeke-jobs tasks`` and ``limits``: the tasks and the limits in force, and their use."""

from collections.abc import Callable
from datetime import timedelta
from operator import itemgetter
from typing import Any

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import bounds, coloured, listing
from zeke_jobs.config import Rate
from zeke_jobs.config.limits import TaskRate
from zeke_jobs.config.models import Task
from zeke_jobs.core.durations import format_duration
from zeke_jobs.core.wording import amount_text, took
from zeke_jobs.postgres.queries import SQL


def tasks(as_json: options.Json = False) -> None:
    """List the tasks of the revision in force, with their jobs by status."""
    with database.connection("tasks", is_migrated=False) as conn:
        found = [_task(row) for row in SQL.all(conn, "job/counts")]
    columns: dict[str, Callable[[dict[str, Any]], object]] = {
        "task": lambda task: task["id"],
        "queued": lambda task: task["queued"] or "",
        "active": lambda task: task["active"] or "",
        "limit": lambda task: bounds(task["limit"], task["per_key"], task["rate"], task["budget"]),
        "completed": lambda task: task["completed"] or "",
        "failed": lambda task: task["failed"] or "",
        "waits": lambda task: took(task["oldest_wait"]),
        "cron": lambda task: f"{task['cron']} ({task['timezone']})" if task["cron"] else "",
        **{key: itemgetter(key) for key in Task.shown({}) if any(task[key] for task in found)},
        "": lambda task: coloured("yellow", "paused" if task["paused"] else ""),
    }
    numbers = ("queued", "active", "limit", "completed", "failed", "waits")
    empty = "no tasks: the first worker that starts fills the catalogue from jobs.yaml"
    listing(found, columns, right=numbers, empty=empty, as_json=as_json)


def used(unit: dict[str, Any]) -> str:
    """Amount used of a unit, or of a daily budget: ``1,500 of 90,000 tokens in 1m``."""
    period = f"in {format_duration(timedelta(seconds=unit['seconds']))}" if unit["seconds"] else "today"
    return f"{amount_text(unit['used'])} of {amount_text(unit['amount'])} {unit['unit']} {period}"


def _task(row: dict[str, Any]) -> dict[str, Any]:
    written, schedules = row.pop("definition"), row.pop("schedules") or []
    if isinstance(schedules, dict):
        schedules = [schedules]
    rate = written.get("rate")
    return {
        **row,
        "limit": None,
        "per_key": None,
        **(written.get("concurrency") or {}),
        "rate": str(TaskRate.model_validate(rate)) if rate else None,
        "budget": written.get("budget"),
        "cron": ", ".join(one["at"] for one in schedules) or None,
        "timezone": ", ".join(dict.fromkeys(one.get("timezone", "UTC") for one in schedules)) or None,
        **Task.shown(written),
    }


def limits(as_json: options.Json = False) -> None:
    """List the shared limits in force, and tasks with a budget: what is active and used, the maximum, the tasks."""
    with database.connection("limits", is_migrated=False) as conn:
        found = [_limit(row) for row in SQL.all(conn, "limits/counts")]
    columns = {
        "limit": lambda one: one["name"],
        "active": lambda one: one["active"] or "",
        "at most": lambda one: one["concurrency"] or "",
        "rate": lambda one: one["rate"],
        "used": lambda one: ", ".join(map(used, one["units"])),
        "tasks": lambda one: ", ".join(one["tasks"]),
        "": lambda one: coloured("yellow", ", ".join(filter(None, ("paused" if one["paused"] else "", one["closed"])))),
    }
    empty = "no task shares a limit or has a budget in the jobs.yaml in force"
    listing(found, columns, right=("active", "at most"), empty=empty, as_json=as_json)


def _limit(row: dict[str, Any]) -> dict[str, Any]:
    count, period = row.pop("rate_count"), row.pop("rate_period")
    rate = str(Rate(count=count, period=period)) if count is not None else None
    closed = row["closed_by"] and f"{row['closed_by']}: {row['closed_why']}"
    return {**row, "rate": rate, "closed": closed}
