"""Prints a backtest: a table of tasks, a table of limits, and how reliable the result is."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, TypeAlias

from zeke_jobs.backtest.comparing import Backtest
from zeke_jobs.cli.output import escape, listing, picked, tell, when
from zeke_jobs.core.wording import took

Columns: TypeAlias = Mapping[str, tuple[str, Callable[[Any], str]]]
_COLOURS = {"high": "green", "fair": "yellow", "low": "red"}
_LEAST_HELD = 0.5  # seconds; every claim holds jobs back for a shorter time


def as_data(answer: Backtest) -> dict[str, Any]:
    """Return a backtest as the dict that ``--json`` prints."""
    return picked(answer, "from=begin, to=end, jobs, workers_from=fleet_from, confidence, notes, today, proposed")


def show(answer: Backtest) -> None:
    """Print a backtest as tables and sentences."""
    today, proposed = answer.today, answer.proposed
    times = f"{when(answer.begin)} to {when(answer.end)}, run again on {today.workers} worker threads"
    other = f"; proposed: {proposed.workers}" if proposed else ""
    tell(f"{answer.jobs:,} jobs from {times} ({answer.fleet_from}){other}")
    after = proposed or today
    columns = {title: column for title, column in _OF_TASKS.items() if title != "cost" or today.cost is not None}
    listing(_both(today.tasks, after.tasks), {"task": itemgetter(0), **_cells(columns)}, right=tuple(columns))
    held = {name for some in (today, after) for name, one in some.limits.items() if one.held > _LEAST_HELD}
    limits = [row for row in _both(today.limits, after.limits) if row[0] in {"threads", *held}]
    tasks = {"which tasks": lambda row: ", ".join((row[2] or row[1]).tasks[:3])}
    listing(limits, {"what limits": itemgetter(0), **_cells(_OF_LIMITS), **tasks}, right=tuple(_OF_LIMITS))
    level = answer.confidence.level
    findings = (f"    {escape(finding.text)}" for finding in answer.confidence.findings)
    notes = (f"note: {escape(note)}" for note in answer.notes)
    for line in (*headline(answer), f"confidence: [{_COLOURS[level]}]{level}[/]", *findings, *notes):
        tell(line)


def headline(answer: Backtest) -> list[str]:
    """Return a few lines about the largest effects of the proposed change, or an empty list if there is no proposal."""
    if answer.proposed is None:
        return []
    today, proposed = answer.today, answer.proposed
    changed = []
    for name, after in proposed.tasks.items():
        was, is_ = today.tasks[name].wait_p95 if name in today.tasks else None, after.wait_p95
        if was is not None and is_ is not None and abs(is_ - was) > max(0.05, 0.1 * was):
            changed.append((abs(is_ - was), f"{escape(name)}: p95 of the wait {_step(was, is_, took)}"))
    lines = [text for _, text in sorted(changed, reverse=True)[:5]]
    lines = lines or ["no task would wait noticeably longer or shorter"]
    if today.breaches or proposed.breaches:
        lines.append(f"jobs that wait longer than max_wait: {_step(today.breaches, proposed.breaches, str)}")
    if today.cost is not None and proposed.cost is not None:
        lines.append(f"cost: {_step(today.cost, proposed.cost, '{:.2f}'.format)} {today.currency or ''}".rstrip())
    if left := sum(task.left for task in proposed.tasks.values()):
        lines.append(f"[red]{left} jobs would not have ended[/] by the end of the simulation")
    return lines


_COUNT, _SHARE = "{:,}".format, "{:.0%}".format
#: Each column has a title, a figure, and a format.
_OF_TASKS: Columns = {
    "jobs": ("jobs", _COUNT),
    **{title: (f"wait_{title[-3:]}", took) for title in ("wait p50", "p95", "p99")},
    "queue peak": ("queue_peak", _COUNT),
    "busy": ("utilisation", _SHARE),
    "too late": ("breaches", _COUNT),
    "failed": ("failed", _COUNT),
    "cost": ("cost", "{:.2f}".format),
}
_OF_LIMITS: Columns = {"at once": ("limit", str), "busy": ("utilisation", _SHARE), "held jobs back for": ("held", took)}


def _both(today: Mapping[str, Any], proposed: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, today.get(name), proposed.get(name)) for name in dict.fromkeys([*today, *proposed])]


def _cells(columns: Columns) -> dict[str, Callable[[tuple[str, Any, Any]], str]]:
    def cell(figure: str, form: Callable[[Any], str], row: tuple[str, Any, Any]) -> str:
        return _step(getattr(row[1], figure, None), getattr(row[2], figure, None), form)

    return {title: partial(cell, *column) for title, column in columns.items()}


def _step(before: Any, after: Any, form: Callable[[Any], str]) -> str:
    old, new = ("" if value is None else form(value) for value in (before, after))
    return new if old == new else f"{old or 'none'} → {new or 'none'}"
