"""``zeke-jobs tasks``: what can be sent, and how much of it there is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, print_json, spelled, table
from zeke_jobs.core.durations import format_duration


def tasks(as_json: options.Json = False) -> None:
    """List the tasks of the revision in force, with their jobs by status."""
    from zeke_jobs.client import drivers
    from zeke_jobs.config.models import Task
    from zeke_jobs.postgres.queries import SQL

    database.choose()
    found = [_task(row) for row in drivers.run_again(lambda run: run(SQL.text("job/counts"), {}))]
    if as_json:
        print_json(found)
        return
    numbers = ("queued", "active", "limit", "completed", "failed", "waits")
    shown = [key for key in Task.shown({}) if any(task[key] for task in found)]
    rows = table("task", *numbers, "cron", *shown, "", right=numbers)
    for task in found:
        waits = "" if task["oldest_wait"] is None else format_duration(timedelta(seconds=int(task["oldest_wait"])))
        rows.add_row(
            escape(task["id"]),
            *(str(task[name] or "") for name in ("queued", "active")),
            ", ".join(str(task[name]) for name in ("limit", "rate") if task[name]),
            *(str(task[name] or "") for name in ("completed", "failed")),
            waits,
            escape(task["cron"] or ""),
            *(escape(spelled(task[key] or "")) for key in shown),
            "[yellow]paused[/]" if task["paused"] else "",
        )
    console().print(rows if found else "no tasks: the first worker that starts fills the catalogue from jobs.yaml")


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
        "cron": json.loads(cron).get("at") if cron else None,
        "paused": paused,
        "queued": queued,
        "active": active,
        "completed": completed,
        "failed": failed,
        "oldest_wait": waits,
        **Task.shown(written),
    }
