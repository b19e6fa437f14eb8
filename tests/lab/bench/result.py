"""The result of a measurement, and whether it meets its target."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        measure: Name of the measure, as on the command line.
        what: The measure.
        value: The figure; None where it could not be measured, and ``note`` says why.
        unit: Of the figure.
        rounds: The figures of the rounds whose median it is.
        ratio: The figure divided by that of ``against``.
        against: The other side of the ratio.
        target: The target, in words.
        reached: Whether it was; None where nothing was aimed at.
        note: Other facts for the reader.
    """

    measure: str
    what: str
    value: float | None
    unit: str = "jobs/s"
    rounds: tuple[float, ...] = ()
    ratio: float | None = None
    against: str = ""
    target: str = ""
    reached: bool | None = None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def together(turns: list[list[Row]]) -> list[Row]:
    """The rows of several turns of a measure as one's: each figure is the median of the turns'."""
    rows: dict[str, list[Row]] = {}
    for turn in turns:
        for row in turn:
            rows.setdefault(row.what, []).append(row)
    return [_middle(same[0], same) for same in rows.values()]


def _middle(first: Row, same: list[Row]) -> Row:
    values = [row.value for row in same if row.value is not None]
    rounds = tuple(figure for row in same for figure in row.rounds)
    return replace(first, value=statistics.median(values) if values else None, rounds=rounds)


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """For the file."""
    return [asdict(row) for row in rows]


def show(rows: Iterable[Row], title: str) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for heading, justify in (("measure", "left"), ("what", "left"), ("figure", "right"), ("unit", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("ratio", justify="right")
    for heading in ("against", "target", "", "note"):
        table.add_column(heading)
    before = ""
    for row in rows:
        if before and row.measure != before:
            table.add_section()
        table.add_row(
            row.measure if row.measure != before else "",
            row.what,
            "—" if row.value is None else number(row.value),
            row.unit,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            row.against,
            row.target,
            {None: "", True: "reached", False: "MISSED"}[row.reached],
            row.note,
        )
        before = row.measure
    Console(width=None if Console().is_terminal else 200).print(table)


def number(value: float) -> str:
    """As many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
