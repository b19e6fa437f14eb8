"""Draws queues and waits over time, unchanged and as proposed. Needs matplotlib: the extra ``zeke-jobs[plot]``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from zeke_jobs.backtest.comparing import Backtest
from zeke_jobs.backtest.figures import TaskFigures, percentile
from zeke_jobs.core.extras import missing
from zeke_jobs.errors import ConfigurationError

_FORMATS = (".png", ".svg", ".pdf")
_MOST_TASKS = 5
_BINS = 60


def draw(answer: Backtest, path: Path) -> None:
    """Write a picture of the tasks whose jobs wait longest, to a path that ``check`` accepts."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    runs = [run for run in (answer.today, answer.proposed) if run]
    longest = {
        name: max(run.tasks[name].wait_p95 or 0.0 for run in runs if name in run.tasks)
        for run in runs
        for name in run.tasks
    }
    names = sorted(longest, key=lambda name: -longest[name])[:_MOST_TASKS]
    figure = Figure(figsize=(13, 1.1 + 2.3 * max(len(names), 1)), dpi=110, layout="constrained")
    axes = figure.subplots(max(len(names), 1), 2, squeeze=False, sharex=True)
    seconds = (answer.end - answer.begin).total_seconds()
    for (queue, wait), name in zip(axes, names, strict=False):
        _draw(
            queue, answer, name, lambda task: ((at / max(len(task.depth) - 1, 1), n) for at, n in enumerate(task.depth))
        )
        queue.set_ylabel(f"{name}\n\njobs", fontsize=10)
        highest = _draw(wait, answer, name, lambda task: _waits(task, seconds))
        wait.set_ylabel("min", fontsize=10)
        bound = runs[-1].tasks[name].max_wait if name in runs[-1].tasks else None
        if bound is not None and bound / 60 < 3 * highest:
            wait.axhline(bound / 60, color="#2e4057", linestyle="--", linewidth=1, label="max_wait")
    axes[0][0].set_title("due jobs that wait, the most at a time", fontsize=11)
    axes[0][1].set_title("wait of the jobs that start, 95th percentile", fontsize=11)
    for axis in axes[-1]:
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        axis.set_xlim(answer.begin, answer.end)
        axis.set_xlabel("UTC", fontsize=9)
    axes[0][1].legend(fontsize=10, frameon=False)
    figure.suptitle(
        f"{answer.jobs:,} jobs, {answer.begin:%Y-%m-%d %H:%M} to {answer.end:%Y-%m-%d %H:%M} UTC, worker threads "
        f"{' → '.join(dict.fromkeys(run.workers for run in runs))}; confidence {answer.confidence.level}",
        fontsize=12,
    )
    figure.savefig(path)


def check(path: Path) -> None:
    """Refuse early if the plot could not be written at the end.

    Raises:
        ConfigurationError: matplotlib is not installed, or cannot write files with this ending.
    """
    if path.suffix.lower() not in _FORMATS:
        raise ConfigurationError(f"expected a picture that ends in {', '.join(_FORMATS)}, got {str(path)!r}")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"expected a folder to draw into, got none at {str(path.absolute().parent)!r}")
    try:
        import matplotlib  # noqa: F401, ICN001 (is it there?)
    except ImportError as error:
        raise missing("matplotlib to draw with", "zeke-jobs[plot]", error=error) from error


def _draw(
    axis: Any, answer: Backtest, name: str, points: Callable[[TaskFigures], Iterable[tuple[float, float]]]
) -> float:
    """Draw a line for today and one for the proposal; returns the highest value. A point is a share of the time and a value."""
    highest = 0.0
    for label, colour, run in (("today", "#7f8c9b", answer.today), ("proposed", "#d1495b", answer.proposed)):
        if run is not None and name in run.tasks:
            line = list(points(run.tasks[name]))
            times = [answer.begin + (answer.end - answer.begin) * share for share, _ in line]
            axis.plot(
                times, [value for _, value in line], color=colour, label=label, linewidth=1.4, marker=".", markersize=3
            )
            highest = max([highest, *(value for _, value in line)])
    axis.set_ylim(bottom=0)
    axis.grid(visible=True, alpha=0.25)
    return highest


def _waits(task: TaskFigures, seconds: float) -> Iterable[tuple[float, float]]:
    """For the middle of each interval, the 95th percentile of the waits of jobs that started in it, in minutes."""
    bins: list[list[float]] = [[] for _ in range(_BINS)]
    for start, wait in zip(task.starts, task.waits, strict=True):
        if 0 <= start < seconds:
            bins[int(start / seconds * _BINS)].append(wait / 60)
    return (((at + 0.5) / _BINS, percentile(sorted(waits), 0.95) or 0.0) for at, waits in enumerate(bins) if waits)
