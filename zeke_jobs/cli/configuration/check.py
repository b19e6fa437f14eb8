"""``zeke-jobs check``: all that is wrong with jobs.yaml, or what it sets up."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zeke_jobs.cli.output import console, escape, say, table
from zeke_jobs.cli.run import WRONG_USE, complain
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from zeke_jobs.config import Config, Schedule, Task

_FIRES = 3


def run(path: Path | None) -> int:
    """Check a jobs.yaml, by default the one that the environment names, and say what was found.

    Diagnostics go to stderr, the summary to stdout.

    Returns:
        The exit status: 0, or 2 where something is wrong.
    """
    from zeke_jobs import config
    from zeke_jobs.config.diagnostics import summary
    from zeke_jobs.config.json_schema import check_comment

    find_modules_here()
    try:
        checked = config.load(path or environment.config_path())
    except ConfigurationError as error:
        return complain(str(error), WRONG_USE)
    if outdated := check_comment(checked.text, str(path or environment.config_path())):
        say(summary(outdated), is_trouble=True)
        return WRONG_USE
    _summarize(checked, path or environment.config_path(), datetime.now(UTC))
    return 0


def find_modules_here() -> None:
    """Let handlers be found in the current folder, as ``dramatiq`` and ``periodiq`` do."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def _summarize(config: Config, path: Path, now: datetime) -> None:
    out = console()
    rows = table("task", "queue", "limit", "uses", "timeout", "retries", "cron")
    for task in config.tasks.values():
        rows.add_row(*map(escape, _row(task)))
    out.print(rows)
    for task in config.tasks.values():
        if task.cron is not None:
            out.print(f"\n{escape(task.id)}: {escape(fires(task.cron, now))}", soft_wrap=True)
    out.print(f"\n{escape(str(path))} is fine: {_counted(config)}", soft_wrap=True)


def _row(task: Task) -> tuple[str, ...]:
    from zeke_jobs.core.durations import format_duration

    return (
        task.id + (" (paused)" if task.paused else ""),
        task.queue,
        _limit(task),
        ", ".join(task.uses),
        format_duration(task.timeout),
        str(task.retry.limit),
        task.cron.at if task.cron else "",
    )


def _limit(task: Task) -> str:
    limit, per_key = task.concurrency.limit, task.concurrency.per_key
    parts = (
        "" if limit is None else str(limit),
        "" if per_key is None else f"{per_key} per key",
        "" if task.rate is None else str(task.rate),
    )
    return ", ".join(part for part in parts if part) or "no limit"


def fires(schedule: Schedule, now: datetime) -> str:
    """The next few ticks of a schedule, in its own zone."""
    from zeke_jobs.cron.calendar import parse

    if schedule.paused:
        return "its schedule is paused"
    zone = ZoneInfo(schedule.timezone)
    ticks, last = [], now
    for _ in range(_FIRES):
        following = parse(schedule.at).next_after(last, zone)
        if following is None:
            break
        ticks.append(following.astimezone(zone).strftime("%a %Y-%m-%d %H:%M"))
        last = following
    return f"next at {', '.join(ticks)} ({schedule.timezone})"


def _counted(config: Config) -> str:
    crons = sum(task.cron is not None for task in config.tasks.values())
    parts = (
        (len(config.tasks), "task"),
        (crons, "schedule"),
        (len(config.limits), "shared limit"),
        (len(config.services), "service"),
    )
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts)
