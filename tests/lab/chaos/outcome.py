"""The results of a scenario, and whether all promises hold."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


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


HEADINGS = ("scenario", "jobs/s before → during → after", "recovery", "sent = completed + stated", "lost", "twice", "")


def table(outcomes: Iterable[Outcome], about: str) -> str:
    """All of them in Markdown; what had to hold follows below the rows."""
    found = [cells(outcome) for outcome in outcomes]
    rows = [f"| `{row[0]}` | {' | '.join(row[2:8])} |" for row in found]
    said = [f"- `{name}`: {broke}. Required: {held}." for name, broke, *_, held in found]
    heads = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    return "\n".join([about, "", *heads, *rows, "", *said])
