"""The figures as a table in docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.result import Row, number

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BEGIN, END = "<!-- figures: nox -s bench -- --page docs/performance.md -->", "<!-- end of figures -->"
_VERDICT = {None: "", True: "reached", False: "**missed**"}


def write(path: Path, rows: Iterable[Row], heading: str) -> None:
    """Put the figures between the page's two marks, in place of those that are there.

    Raises:
        ValueError: the page has no such marks.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"expected {BEGIN} and {END} in {path}, got none")
    path.write_text(f"{before}{BEGIN}\n\n{heading}\n\n{table(rows)}\n\n{END}{after}", encoding="utf-8")


def table(rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = ["| measure | what | figure | ratio | target | | note |", "|---|---|---:|---:|---|---|---|"]
    before = ""
    for row in rows:
        name = "" if row.measure == before else f"`{row.measure}`"
        figure = "" if row.value is None else f"{number(row.value)} {row.unit}".strip()
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ({row.against})"
        cells = (name, row.what, figure, ratio, row.target, _VERDICT[row.reached], row.note)
        lines.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |")
        before = row.measure
    return "\n".join(lines)
