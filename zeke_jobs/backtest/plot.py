"""Plots queue lengths and waits with and without the proposed change. Needs matplotlib: ``zeke-jobs[plot]``."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zeke_jobs.backtest.comparing import Backtest
from zeke_jobs.backtest.figures import TaskFigures, percentile
from zeke_jobs.core.environment import missing
from zeke_jobs.errors import ConfigurationError

_FORMATS = (".png", ".svg", ".pdf")
_MOST_TASKS = 5
_BINS = 60


def draw(answer: Backtest, path: Path) -> None:
    """Write a picture of the tasks whose jobs wait longest, to a path that ``check`` accepts."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    runs = [("today", "#7f8c9b", answer.today)] + [("proposed", "#d1495b", one) for one in (answer.proposed,) if one]
    waits = Counter[str]()
    for _, _, run in runs:
        waits |= Counter({name: task.wait_p95 or 1e-9 for name, task in run.tasks.items()})  # the longer of both runs
    names, length = [name for name, _ in waits.most_common(_MOST_TASKS)], answer.end - answer.begin
    figure = Figure(figsize=(13, 1.1 + 2.3 * max(len(names), 1)), dpi=110, layout="constrained")
    axes = figure.subplots(max(len(names), 1), 2, squeeze=False, sharex=True)
    for name, pair in zip(names, axes, strict=False):
        for axis, points, unit in zip(pair, (_depths, _waits), ("jobs", "min"), strict=True):
            for label, colour, run in runs:
                line = list(points(run.tasks[name], length.total_seconds())) if name in run.tasks else []
                at, values = [answer.begin + length * share for share, _ in line], [value for _, value in line]
                axis.plot(at, values, color=colour, label=label, linewidth=1.4, marker=".", markersize=3)
            axis.set_ylabel(unit if axis is pair[1] else f"{name}\n\n{unit}", fontsize=10)
            axis.set_ylim(bottom=0)
            axis.grid(visible=True, alpha=0.25)
        task = runs[-1][2].tasks.get(name)
        if task and task.max_wait and task.max_wait / 60 < 3 * pair[1].get_ylim()[1]:
            pair[1].axhline(task.max_wait / 60, color="#2e4057", linestyle="--", linewidth=1, label="max_wait")
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
        f"{' → '.join(dict.fromkeys(run.workers for _, _, run in runs))}; confidence {answer.confidence.level}",
        fontsize=12,
    )
    figure.savefig(path)


def check(path: Path) -> None:
    """Raise ConfigurationError if matplotlib is not installed, or no picture can be written to this path."""
    if path.suffix.lower() not in _FORMATS:
        raise ConfigurationError(f"expected a picture that ends in {', '.join(_FORMATS)}, got {str(path)!r}")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"expected a folder to draw into, got none at {str(path.absolute().parent)!r}")
    try:
        import matplotlib  # noqa: F401, ICN001 (only to see whether it is installed)
    except ImportError as error:
        raise missing("matplotlib to draw with", "zeke-jobs[plot]", error=error) from error


def _depths(task: TaskFigures, _seconds: float) -> Iterator[tuple[float, float]]:
    """Yield a point for each sample of the queue: the time, as a share of the period, and the number of due jobs."""
    return ((at / max(len(task.depth) - 1, 1), number) for at, number in enumerate(task.depth))


def _waits(task: TaskFigures, seconds: float) -> Iterator[tuple[float, float]]:
    """Yield a point for each interval: its middle, and the 95th percentile (minutes) of the waits that ended in it."""
    bins: list[list[float]] = [[] for _ in range(_BINS)]
    for start, wait in zip(task.starts, task.waits, strict=True):
        if 0 <= start < seconds:
            bins[int(start / seconds * _BINS)].append(wait / 60)
    return (((at + 0.5) / _BINS, percentile(sorted(waits), 0.95) or 0.0) for at, waits in enumerate(bins) if waits)
