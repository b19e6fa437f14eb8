"""Draws queues and waits over time, unchanged and as proposed. Needs matplotlib: the extra ``zeke-jobs[plot]``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zeke_jobs.backtest.figures import percentile
from zeke_jobs.core.extras import missing
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zeke_jobs.backtest.comparing import Backtest, Run
    from zeke_jobs.backtest.tally import TaskTally

FORMATS = (".png", ".svg", ".pdf")
_MOST_TASKS = 5
_BINS = 60
_TODAY, _PROPOSED, _LIMIT = "#7f8c9b", "#d1495b", "#2e4057"


def draw(answer: Backtest, path: Path) -> None:
    """Write a picture of the tasks whose jobs wait longest.

    Raises:
        ConfigurationError: matplotlib is not installed, or cannot write files with this ending.
    """
    check(path)
    from matplotlib.figure import Figure

    names = _longest_waiting(answer)
    figure = Figure(figsize=(13, 1.1 + 2.3 * max(len(names), 1)), dpi=110, layout="constrained")
    axes = figure.subplots(max(len(names), 1), 2, squeeze=False, sharex=True)
    for (queue, wait), name in zip(axes, names, strict=False):
        _draw_queue(queue, answer, name)
        _draw_wait(wait, answer, name)
    axes[0][0].set_title("due jobs that wait, the most at a time", fontsize=11)
    axes[0][1].set_title("wait of the jobs that start, 95th percentile", fontsize=11)
    for axis in axes[-1]:
        _name_hours(axis, answer)
    handles, labels = axes[0][0].get_legend_handles_labels()
    more = axes[0][1].get_legend_handles_labels()
    known = dict(zip([*labels, *more[1]], [*handles, *more[0]], strict=True))
    figure.legend(known.values(), known.keys(), loc="outside upper right", ncols=3, fontsize=10, frameon=False)
    figure.suptitle(_title(answer), fontsize=12, x=0.01, ha="left")
    figure.savefig(path)


def check(path: Path) -> None:
    """Refuse early if the plot could not be written at the end.

    Raises:
        ConfigurationError: as ``draw``.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"expected a picture that ends in {', '.join(FORMATS)}, got {str(path)!r}")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"expected a folder to draw into, got none at {str(path.absolute().parent)!r}")
    try:
        import matplotlib  # noqa: F401, ICN001 (is it there?)
    except ImportError as error:
        raise missing("matplotlib to draw with", "zeke-jobs[plot]", error=error) from error


def _runs(answer: Backtest) -> list[tuple[str, str, Run]]:
    runs = [("today", _TODAY, answer.today)]
    return [*runs, ("proposed", _PROPOSED, answer.proposed)] if answer.proposed else runs


def _longest_waiting(answer: Backtest) -> list[str]:
    longest: dict[str, float] = {}
    for _, _, run in _runs(answer):
        for name, task in run.figures.tasks.items():
            longest[name] = max(longest.get(name, 0.0), task.wait_p95 or 0.0)
    return sorted(longest, key=lambda name: -longest[name])[:_MOST_TASKS]


def _draw_queue(axis: Any, answer: Backtest, name: str) -> None:
    seconds = (answer.end - answer.begin).total_seconds()
    for label, colour, run in _runs(answer):
        if name in run.tally.tasks:
            depth = run.tally.tasks[name].depth
            times = [
                answer.begin + timedelta(seconds=seconds * at / max(len(depth) - 1, 1)) for at in range(len(depth))
            ]
            axis.plot(times, depth, color=colour, label=label, linewidth=1.4, drawstyle="steps-post")
    axis.set_ylabel(f"{name}\n\njobs", fontsize=10)
    axis.set_ylim(bottom=0)
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.grid(visible=True, alpha=0.25)


def _draw_wait(axis: Any, answer: Backtest, name: str) -> None:
    seconds = (answer.end - answer.begin).total_seconds()
    # Both lines have the unit of the longest wait.
    lines = [
        (label, colour, _by_bin(run.tally.tasks[name], seconds))
        for label, colour, run in _runs(answer)
        if name in run.tally.tasks
    ]
    highest = max((wait for _, _, line in lines for _, wait in line), default=0.0)
    unit, worth = next(((unit, worth) for unit, worth in (("h", 3600), ("min", 60)) if highest >= 3 * worth), ("s", 1))
    for label, colour, line in lines:
        times = [answer.begin + timedelta(seconds=at) for at, _ in line]
        axis.plot(
            times,
            [wait / worth for _, wait in line],
            color=colour,
            label=label,
            linewidth=1.4,
            marker=".",
            markersize=3,
        )
    run = answer.proposed or answer.today
    bound = run.figures.tasks[name].max_wait if name in run.figures.tasks else None
    if bound is not None and bound < 3 * max(highest, 1e-9):
        axis.axhline(bound / worth, color=_LIMIT, linestyle="--", linewidth=1, label="max_wait")
    axis.set_ylabel(unit, fontsize=10)
    axis.set_ylim(bottom=0)
    axis.grid(visible=True, alpha=0.25)


def _by_bin(task: TaskTally, seconds: float) -> list[tuple[float, float]]:
    """For the middle of each interval, the 95th percentile of the waits of jobs that started in it."""
    bins: list[list[float]] = [[] for _ in range(_BINS)]
    for start, wait in zip(task.starts, task.waits, strict=True):
        at = int(start / seconds * _BINS)
        if 0 <= at < _BINS:
            bins[at].append(wait)
    return [
        ((at + 0.5) * seconds / _BINS, percentile(sorted(waits), 0.95) or 0.0) for at, waits in enumerate(bins) if waits
    ]


def _name_hours(axis: Any, answer: Backtest) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axis.set_xlim(answer.begin, answer.end)
    axis.set_xlabel("UTC", fontsize=9)


def _title(answer: Backtest) -> str:
    workers: Sequence[str] = dict.fromkeys(run.figures.workers for _, _, run in _runs(answer)).keys()  # type: ignore[assignment]
    return (
        f"{answer.jobs:,} jobs, {answer.begin:%Y-%m-%d %H:%M} to {answer.end:%Y-%m-%d %H:%M} UTC, "
        f"worker threads {' → '.join(workers)}; confidence {answer.confidence.level}"
    )
