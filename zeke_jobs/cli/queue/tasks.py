"""``zeke-jobs tasks`` and ``limits``: the tasks and shared limits in force, and how much of each is in use."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import coloured, listing, spelled
from zeke_jobs.core.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable


def tasks(as_json: options.Json = False) -> None:
    """List the tasks of the revision in force, with their jobs by status."""
    from zeke_jobs.client import drivers
    from zeke_jobs.config.models import Task
    from zeke_jobs.postgres.queries import SQL

    database.choose()
    found = [_task(row) for row in drivers.run_again(lambda run: run(SQL.text("job/counts"), {}))]
    columns: dict[str, Callable[[dict[str, Any]], object]] = {
        "task": lambda task: task["id"],
        "queued": lambda task: task["queued"] or "",
        "active": lambda task: task["active"] or "",
        "limit": lambda task: ", ".join(str(task[name]) for name in ("limit", "rate") if task[name]),
        "completed": lambda task: task["completed"] or "",
        "failed": lambda task: task["failed"] or "",
        "waits": lambda task: _waits(task["oldest_wait"]),
        "cron": lambda task: task["cron"],
        **{key: partial(_spelled, key) for key in Task.shown({}) if any(task[key] for task in found)},
        "": lambda task: coloured("yellow", "paused" if task["paused"] else ""),
    }
    numbers = ("queued", "active", "limit", "completed", "failed", "waits")
    empty = "no tasks: the first worker that starts fills the catalogue from jobs.yaml"
    listing(found, columns, right=numbers, empty=empty, as_json=as_json)


def _spelled(key: str, task: dict[str, Any]) -> str:
    return spelled(task[key] or "")


def _waits(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(timedelta(seconds=int(seconds)))


def _task(row: tuple[Any, ...]) -> dict[str, Any]:
    from zeke_jobs.config import Rate, Task

    task_id, queue, description, aliases, definition, cron, paused, queued, active, completed, failed, waits = row
    written = json.loads(definition)
    concurrency, rate = written.get("concurrency") or {}, written.get("rate")
    return {
        "id": task_id,
        "aliases": aliases,
        "description": description,
        "queue": queue,
        "limit": concurrency.get("limit"),
        "per_key": concurrency.get("per_key"),
        "rate": str(Rate.model_validate(rate)) if rate else None,
        "cron": _lines(json.loads(cron)) if cron else None,
        "paused": paused,
        "queued": queued,
        "active": active,
        "completed": completed,
        "failed": failed,
        "oldest_wait": waits,
        **Task.shown(written),
    }


def limits(as_json: options.Json = False) -> None:
    """List the shared limits in force: how many jobs are active under each, how many may be, and the tasks that share it."""
    from zeke_jobs.postgres.queries import SQL

    with database.connection("limits", is_migrated=False) as conn:
        found = [_limit(row) for row in SQL.all(conn, "limits/counts")]
    columns = {
        "limit": lambda one: one["name"],
        "active": lambda one: one["active"] or "",
        "at most": lambda one: one["concurrency"] or "",
        "started": lambda one: one["started"] or "",
        "rate": lambda one: one["rate"],
        "tasks": lambda one: ", ".join(one["tasks"]),
        "": lambda one: coloured("yellow", "paused" if one["paused"] else ""),
    }
    empty = "no task shares a limit: jobs.yaml in force has no limits"
    listing(found, columns, right=("active", "at most", "started"), empty=empty, as_json=as_json)


def _limit(row: dict[str, Any]) -> dict[str, Any]:
    from zeke_jobs.config import Rate

    count, period = row.pop("rate_count"), row.pop("rate_period")
    return {**row, "rate": str(Rate(count=count, period=period)) if count is not None else None}


def _lines(cron: dict[str, Any] | list[dict[str, Any]]) -> str:
    """The cron lines of a task's schedules."""
    return ", ".join(str(one.get("at")) for one in (cron if isinstance(cron, list) else [cron]))
