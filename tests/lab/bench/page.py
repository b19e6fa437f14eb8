"""The figures as a table in docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.bench.result import Row, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BEGIN, END = "<!-- figures: nox -s bench -- --page docs/performance.md -->", "<!-- end of figures -->"
BEGIN_SERVERS = (
    "<!-- servers: nox -s bench -- --quick --server embedded --server PATH-OF-BIN --page docs/performance.md -->"
)
END_SERVERS = "<!-- end of servers -->"
_AS_GOOD = 0.8  # of the first server's figures
_VERDICT = {None: "", True: "reached", False: "**missed**"}


def write(path: Path, found: Mapping[str, Sequence[Row]], heading: str) -> None:
    """Put the figures of one server, or of several side by side, between the page's two marks, in place of the old ones.

    Raises:
        ValueError: the page has no such marks.
    """
    if len(found) > 1:
        _put_side_by_side(path, heading, found)
    else:
        ((which, rows),) = found.items()
        put_between(path, BEGIN, END, f"{which}. {heading}\n\n{table(rows)}")


def _put_side_by_side(path: Path, heading: str, found: Mapping[str, Sequence[Row]]) -> None:
    """Replace the page's figures of these measures and servers; other measures of the same servers stay."""
    text = path.read_text(encoding="utf-8")
    old = text.partition(BEGIN_SERVERS)[2].partition(END_SERVERS)[0].splitlines()
    head, *rows = (line for line in side_by_side(found).splitlines() if line)
    mine = [f"`{measure}`" for measure in dict.fromkeys(row.measure for each in found.values() for row in each)]
    kept = [line for line in old if line.startswith("| `") and not any(line.startswith(f"| {name}:") for name in mine)]
    words = [left for line in old if line.startswith("`") and (left := _without(line, mine))]
    if head not in old:
        kept, words = [], []
    words.append(f"{', '.join(mine)}: {heading}")
    put_between(path, BEGIN_SERVERS, END_SERVERS, "\n\n".join([*words, "\n".join([head, *rows[:1], *kept, *rows[1:]])]))


def _without(line: str, measures: Sequence[str]) -> str:
    """A line that names the run of measures, without measures that were taken again; empty if none is left."""
    names, _, heading = line.partition(": ")
    left = [name for name in names.split(", ") if name not in measures]
    return f"{', '.join(left)}: {heading}" if left else ""


def put_between(path: Path, begin: str, end: str, text: str) -> None:
    """Put a text between two marks of a page, in place of the old text.

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


def side_by_side(found: Mapping[str, Sequence[Row]]) -> str:
    """A Markdown table of the figures that all servers have, with how each compares with the first: more than 1 is faster."""
    first, *others = found
    figures = {which: {(row.measure, row.what): row for row in rows} for which, rows in found.items()}
    lines = [f"| what | {first} | {' | '.join(f'{other} | ratio, ≥ {_AS_GOOD:g}' for other in others)} |"]
    lines.append("|---|---:|" + "---:|---|" * len(others))
    for key, row in figures[first].items():
        cells = [f"`{row.measure}`: {row.what}", f"{number(row.value)} {row.unit}" if row.value is not None else ""]
        for other in others:
            its = figures[other].get(key)
            if row.value is None or its is None or its.value is None:
                cells += ["", ""]
                continue
            times = its.value / row.value if row.unit == "jobs/s" else row.value / its.value
            cells += [f"{number(its.value)} {its.unit}", f"{times:.2f}{'' if times >= _AS_GOOD else ', **missed**'}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
