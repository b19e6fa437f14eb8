"""How a backtest looks: a table of tasks, what limited what, and how far to trust it."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Self

from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from zeke_jobs.cli.output import Console, console, escape, plain, table, when

if TYPE_CHECKING:
    from collections.abc import Callable

    from zeke_jobs.backtest.comparing import Backtest
    from zeke_jobs.backtest.figures import Figures, LimitFigures, TaskFigures

_COLOURS = {"high": "green", "fair": "yellow", "low": "red"}
_LEAST_HELD = 0.5  # seconds; shorter is how claims come about


class Progress(AbstractContextManager["Progress"]):
    """A bar on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def rows(self, count: int) -> None:
        """So many jobs were read."""
        task = self._task("reading", total=None)
        self._bar.update(task, description=f"reading {count:,} jobs")

    def share(self, what: str, share: float) -> None:
        """So much of a simulation is done."""
        self._bar.update(self._task(what, total=1.0), completed=share)

    def _task(self, what: str, total: float | None) -> Any:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=total)
        return self._tasks[what]


def as_data(answer: Backtest) -> dict[str, Any]:
    """A backtest for scripts."""
    return {
        "from": plain(answer.begin),
        "to": plain(answer.end),
        "jobs": answer.jobs,
        "workers_from": answer.fleet_from,
        "confidence": plain(answer.confidence),
        "notes": list(answer.notes),
        "today": plain(answer.today.figures),
        "proposed": plain(answer.proposed.figures) if answer.proposed else None,
    }


def show(answer: Backtest) -> None:
    """A backtest for people."""
    out = console()
    today, proposed = answer.today.figures, answer.proposed.figures if answer.proposed else None
    out.print(
        f"{answer.jobs:,} jobs from {when(answer.begin)} to {when(answer.end)}, run again on {today.workers} worker threads"
        f" ({answer.fleet_from})" + (f"; proposed: {proposed.workers}" if proposed else ""),
        soft_wrap=True,
    )
    out.print(_tasks(today, proposed))
    _show_limits(out, today, proposed)
    for line in headline(answer):
        out.print(line, soft_wrap=True)
    show_confidence(out, answer)


def show_confidence(out: Console, answer: Backtest) -> None:
    """How far to trust it, and why."""
    level = answer.confidence.level
    out.print(f"confidence: [{_COLOURS[level]}]{level}[/]")
    for finding in answer.confidence.findings:
        out.print(f"    {escape(finding.text)}", soft_wrap=True)
    for note in answer.notes:
        out.print(f"note: {escape(note)}", soft_wrap=True)


def headline(answer: Backtest) -> list[str]:
    """What a proposal changes most, in a few lines; empty without one."""
    if answer.proposed is None:
        return []
    today, proposed = answer.today.figures, answer.proposed.figures
    changed = []
    for name, after in proposed.tasks.items():
        before = today.tasks.get(name)
        if before is None or before.wait_p95 is None or after.wait_p95 is None:
            continue
        off = after.wait_p95 - before.wait_p95
        if abs(off) > max(0.05, 0.1 * before.wait_p95):
            changed.append(
                (abs(off), f"{escape(name)}: p95 of the wait {_step(before.wait_p95, after.wait_p95, span)}")
            )
    lines = [text for _, text in sorted(changed, reverse=True)[:5]] or [
        "no task would wait noticeably longer or shorter"
    ]
    if today.breaches or proposed.breaches:
        lines.append(f"jobs that wait longer than max_wait: {_step(today.breaches, proposed.breaches, str)}")
    if today.cost is not None and proposed.cost is not None:
        lines.append(f"cost: {_step(today.cost, proposed.cost, '{:.2f}'.format)} {today.currency or ''}".rstrip())
    if left := sum(task.left for task in proposed.tasks.values()):
        lines.append(f"[red]{left} jobs would not have ended[/] by the end of the simulation")
    return lines


def _tasks(today: Figures, proposed: Figures | None) -> Any:
    numbers = ("jobs", "wait p50", "p95", "p99", "queue peak", "busy", "too late", "failed", "cost")
    has_cost = today.cost is not None
    shown = table("task", *(numbers if has_cost else numbers[:-1]), right=numbers)
    for name in dict.fromkeys([*today.tasks, *(proposed.tasks if proposed else ())]):
        before = today.tasks.get(name)
        after = proposed.tasks.get(name) if proposed else before

        def cell(
            read: Callable[[TaskFigures], Any],
            form: Callable[[Any], str],
            before: TaskFigures | None = before,
            after: TaskFigures | None = after,
        ) -> str:
            return _step(read(before) if before else None, read(after) if after else None, form)

        cells = [
            cell(lambda one: one.jobs, "{:,}".format),
            cell(lambda one: one.wait_p50, span),
            cell(lambda one: one.wait_p95, span),
            cell(lambda one: one.wait_p99, span),
            cell(lambda one: one.queue_peak, "{:,}".format),
            cell(lambda one: one.utilisation, "{:.0%}".format),
            cell(lambda one: one.breaches, "{:,}".format),
            cell(lambda one: one.failed, "{:,}".format),
        ]
        if has_cost:
            cells.append(cell(lambda one: one.cost, "{:.2f}".format))
        shown.add_row(escape(name), *cells)
    return shown


def _show_limits(out: Console, today: Figures, proposed: Figures | None) -> None:
    numbers = ("at once", "busy", "held jobs back for")
    shown = table("what limits", *numbers, "which tasks", right=numbers)
    after_all = proposed.limits if proposed else today.limits
    for name in dict.fromkeys([*today.limits, *after_all]):
        before, after = today.limits.get(name), after_all.get(name)
        if name != "threads" and not any(one and one.held > _LEAST_HELD for one in (before, after)):
            continue

        def cell(
            read: Callable[[LimitFigures], Any],
            form: Callable[[Any], str],
            before: LimitFigures | None = before,
            after: LimitFigures | None = after,
        ) -> str:
            return _step(read(before) if before else None, read(after) if after else None, form)

        shown.add_row(
            escape(name),
            cell(lambda one: one.limit, str),
            cell(lambda one: one.utilisation, "{:.0%}".format),
            cell(lambda one: one.held, span),
            escape(", ".join((after or before).tasks[:3])) if after or before else "",  # type: ignore[union-attr]
        )
    out.print(shown)


def span(seconds: float) -> str:
    """A length of time that was simulated: ``20 ms``, ``1.4 s``, ``12 min``, ``3.2 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, worth in (("s", 1), ("min", 60), ("h", 3600)):
        if seconds < 120 * worth or unit == "h":
            break
    return f"{seconds / worth:.1f} {unit}"


def _step(before: Any, after: Any, form: Callable[[Any], str]) -> str:
    old, new = ("" if value is None else form(value) for value in (before, after))
    return new if old == new else f"{old or 'none'} → {new or 'none'}"
