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
    put_between(path, BEGIN, END, f"{heading}\n\n{table(rows)}")


def put_between(path: Path, begin: str, end: str, text: str) -> None:
    """Put a text between two marks of a page, in place of what is there.

    Raises:
        ValueError: the page has no such marks.
    """
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ends, after = rest.partition(end)
    if not (found and ends):
        raise ValueError(f"expected {begin} and {end} in {path}, got none")
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def table(rows: Iterable[Row]) -> str:
    """A Markdown table; a row with the measure's name alone begins each measure."""
    lines = ["| what | figure | ratio | target | note |", "|---|---:|---|---|---|"]
    before = ""
    for row in rows:
        if row.measure != before:
            lines.append(f"| `{row.measure}` | | | | |")
        figure = "" if row.value is None else f"{number(row.value)} {row.unit}".strip()
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ({row.against})"
        goal = ": ".join(word for word in (row.target, _VERDICT[row.reached]) if word)
        cells = (row.what, figure, ratio, goal, row.note)
        lines.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |")
        before = row.measure
    return "\n".join(lines)
