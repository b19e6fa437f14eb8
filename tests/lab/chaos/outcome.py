"""The results of a scenario, and whether all promises hold."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Promise:
    """One thing that must hold, in words, and whether it did."""

    text: str
    held: bool


@dataclass(frozen=True)
class Outcome:
    """One row of the table.

    Attributes:
        scenario: Its name on the command line.
        broke: The fault.
        before, during, after: Jobs completed in a second: the median of three equal parts of that phase.
        recovery: Seconds from the end of the fault until half of ``before`` was reached again.
        sent: All jobs sent, also by other jobs.
        finished: Jobs that completed.
        stated: Jobs with another end and a reason.
        lost: Jobs that are neither, or whose effect is missing.
        duplicated: Effects that are there twice, or without their job's completion.
        again: Runs of handlers beyond the first of each job, by the trace outside the database.
        promises: The required results.
        note: Other facts for the reader.
        skipped: Why it could not be tried here.
    """

    scenario: str
    broke: str
    before: float | None = None
    during: float | None = None
    after: float | None = None
    recovery: float | None = None
    sent: int = 0
    finished: int = 0
    stated: int = 0
    lost: int = 0
    duplicated: int = 0
    again: int = 0
    promises: tuple[Promise, ...] = ()
    note: str = ""
    skipped: str = ""
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether every promise held; also where it was skipped."""
        return all(promise.held for promise in self.promises)

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.skipped:
            return "skipped"
        return "held" if self.held else "BROKEN"

    def broken(self) -> list[str]:
        """The promises that did not hold."""
        return [promise.text for promise in self.promises if not promise.held]


def as_json(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """For the file."""
    return [{**asdict(outcome), "verdict": outcome.verdict} for outcome in outcomes]


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A row of the table: the fault, the figures, the required results, the verdict."""
    if outcome.skipped:
        return (outcome.scenario, outcome.broke, "", "", "", "", "", "", f"skipped: {outcome.skipped}")
    said = "; ".join(promise.text for promise in outcome.promises)
    words = said if outcome.held else "; ".join(f"NOT: {text}" for text in outcome.broken())
    rates = " → ".join("—" if one is None else f"{one:,.0f}" for one in (outcome.before, outcome.during, outcome.after))
    return (
        outcome.scenario,
        outcome.broke,
        rates,
        "" if outcome.recovery is None else f"{outcome.recovery:.1f} s",
        f"{outcome.sent:,} = {outcome.finished:,} + {outcome.stated:,}",
        str(outcome.lost),
        f"{outcome.duplicated} ({outcome.again:,} run again)",
        outcome.verdict,
        f"{words}{'. ' + outcome.note if outcome.note else ''}",
    )


HEADINGS = (
    "scenario",
    "broke",
    "jobs/s before → during → after",
    "recovery",
    "sent = completed + stated",
    "lost",
    "twice in effect",
    "",
    "what had to hold",
)


def show(outcomes: Iterable[Outcome], title: str) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left", show_lines=True)
    for heading in HEADINGS:
        table.add_column(heading)
    for outcome in outcomes:
        table.add_row(*cells(outcome))
    Console(width=None if Console().is_terminal else 220).print(table)


def _named(line: str) -> set[str]:
    return set(re.findall(r"`([\w-]+)`", line.partition(": ")[0]))


_HEAD = (
    "| scenario | jobs/s before → during → after | recovery | sent = completed + stated | lost, twice | |",
    "|---|---|---:|---|---|---|",
)


def merged(text: str, outcomes: Sequence[Outcome], about: str, order: Sequence[str]) -> str:
    """The same for a page, narrow enough for it: what had to hold follows below the table. Other scenarios' rows in ``text`` stay."""
    names = [outcome.scenario for outcome in outcomes]
    rows, words, heading = {}, {}, []
    for line in text.splitlines():
        if found := re.match(r"\| `([\w-]+)` \|", line):
            rows[found[1]] = line
        elif found := re.match(r"- `([\w-]+)`: ", line):
            words[found[1]] = line
        elif line.strip() and line not in _HEAD:
            heading.append(line)
    if set(rows) <= set(names):
        heading = [about]
    else:
        heading = [line for line in heading if not (line.startswith("`") and _named(line) <= set(names))]
        heading.append(f"{', '.join(f'`{name}`' for name in names)}: {about}")
    for outcome in outcomes:
        name, broke, rates, recovery, account, lost, twice, verdict, held = cells(outcome)
        rows[name] = f"| `{name}` | {rates} | {recovery} | {account} | {lost}, {twice} | {verdict} |"
        words[name] = " ".join(f"- `{name}`: {broke}. Required: {held}.".split())
    shown = [name for name in order if name in rows]
    heading = [f"\n{line}" if line.startswith("`") else line for line in heading]
    return "\n".join([*heading, "", *_HEAD, *(rows[name] for name in shown), "", *(words[name] for name in shown)])
