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
        """Format a row of the table; three digits of a figure are enough."""
        value, target = "—", ""
        if self.value is not None:
            value = f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:.3g} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ({self.against})"
        if self.least is not None and self.ratio is not None:
            target = f"≥ {self.least:g}: {'reached' if self.ratio >= self.least else '**missed**'}"
        elif self.most is not None and self.value is not None:
            target = f"≤ {self.most:g}: {'reached' if self.value <= self.most else '**missed**'}"
        return f"| {self.what} | {value} | {ratio} | {target} | {self.note} |"


def middle(what: str, rounds: Sequence[float], others: Sequence[float] | None = None, **more: object) -> Row:
    """Make a row with the median of rounds, and with its ratio to the median of other, interleaved rounds."""
    value = statistics.median(rounds)
    ratio = None if others is None else value / statistics.median(others)
    return Row(what, value, rounds=tuple(rounds), ratio=ratio, **more)  # type: ignore[arg-type] # Row's own names


def table(found: dict[str, Iterable[Row]], about: str) -> str:
    lines = [line for name, rows in found.items() for line in (f"| `{name}` | | | | |", *(row.line() for row in rows))]
    return "\n".join([about, "", _HEAD, *lines])
