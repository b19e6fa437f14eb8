"""``zeke-jobs limits``: what tasks share, and how much of it is in use."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, print_json, table


def limits(as_json: options.Json = False) -> None:
    """List the shared limits in force: how many jobs are active under each, how many may be, and the tasks that share it."""
    from zeke_jobs.postgres.pool import connect
    from zeke_jobs.postgres.queries import SQL

    with closing(connect(database.choose(), application_name="zeke-jobs limits")) as conn:
        found = [_limit(row) for row in SQL.all(conn, "limits/counts")]
    if as_json:
        print_json(found)
        return
    rows = table("limit", "active", "at most", "started", "rate", "tasks", "", right=("active", "at most", "started"))
    for one in found:
        rows.add_row(
            escape(one["name"]),
            str(one["active"] or ""),
            str(one["concurrency"] or ""),
            str(one["started"] or ""),
            one["rate"] or "",
            escape(", ".join(one["tasks"])),
            "[yellow]paused[/]" if one["paused"] else "",
        )
    console().print(rows if found else "no task shares a limit: jobs.yaml in force has no limits")


def _limit(row: dict[str, Any]) -> dict[str, Any]:
    from zeke_jobs.config import Rate

    count, period = row.pop("rate_count"), row.pop("rate_period")
    return {**row, "rate": str(Rate(count=count, period=period)) if count is not None else None}
