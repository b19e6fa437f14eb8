"""The rows of a run form one table, and a row may be the median of several rounds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HEAD = "| what | figure | ratio | target | note |\n|---|---:|---|---|---|"


@dataclass(frozen=True)
class Row:
    """A row has one figure, or None without a measurement; the figure is the median of ``rounds``, if any."""

    what: str
    value: float | None
    unit: str = "jobs/s"
    rounds: Sequence[float] = ()
    ratio: float | None = None  # The ratio compares the figure with the figure of ``against``.
    against: str = ""
    least: float | None = None  # The ratio should be at least ``least``.
    most: float | None = None  # The figure should be at most ``most``.
    note: str = ""

    def line(self) -> str:
        figure = "—" if self.value is None else f"{number(self.value)} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ({self.against})"
        return f"| {self.what} | {figure} | {ratio} | {self._target()} | {self.note} |"

    def _target(self) -> str:
        if self.least is not None and self.ratio is not None:
            return f"≥ {self.least:g}: {'reached' if self.ratio >= self.least else '**missed**'}"
        if self.most is not None and self.value is not None:
            return f"≤ {self.most:g}: {'reached' if self.value <= self.most else '**missed**'}"
        return ""


def middle(what: str, rounds: Sequence[float], others: Sequence[float] | None = None, **more: object) -> Row:
    """Make a row with the median of rounds, and with its ratio to the median of other, interleaved rounds."""
    value = statistics.median(rounds)
    ratio = None if others is None else value / statistics.median(others)
    return Row(what, value, rounds=tuple(rounds), ratio=ratio, **more)  # type: ignore[arg-type] # Row's own names


def table(found: dict[str, Iterable[Row]], about: str) -> str:
    lines = [line for name, rows in found.items() for line in (f"| `{name}` | | | | |", *(row.line() for row in rows))]
    return "\n".join([about, "", _HEAD, *lines])


def number(value: float) -> str:
    """Format a number with three significant digits, or as an integer."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
