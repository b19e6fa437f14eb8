"""The results of a scenario, and whether all promises hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.chaos.proof import Account


class Impossible(Exception):
    """The scenario cannot be tried here; the text says why."""


@dataclass(frozen=True)
class Promise:
    """One thing that must hold, in words, and whether it did."""

    text: str
    held: bool


@dataclass(frozen=True)
class Outcome:
    """One row of the table."""

    scenario: str
    broke: str  # the fault, in words
    account: Account = field(default_factory=Account)
    rates: Mapping[str, float] = field(default_factory=dict)  # jobs completed in a second before, during and after
    recovery: float | None = None  # seconds from the end of the fault until half of the rate before it was back
    again: int = 0  # runs of handlers beyond the first of each job, by the trace outside the database
    promises: tuple[Promise, ...] = ()
    note: str = ""
    skipped: str = ""  # why it could not be tried here
    seconds: float = 0.0
    server: str = ""
    stuck: Sequence[str] = ()  # jobs that did not end, and what was logged of them

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises)

    def broken(self) -> list[str]:
        return [promise.text for promise in self.promises if not promise.held]


def cells(outcome: Outcome) -> tuple[str, ...]:
    """A row of the table: the fault, the figures, the required results, the verdict."""
    if outcome.skipped:
        return (outcome.scenario, outcome.broke, "", "", "", "", "", "", f"skipped: {outcome.skipped}")
    said = "; ".join(promise.text for promise in outcome.promises)
    words = said if outcome.held else "; ".join(f"NOT: {text}" for text in outcome.broken())
    phases, jobs = ("before", "during", "after"), outcome.account
    rates = " → ".join(f"{outcome.rates[one]:,.0f}" if one in outcome.rates else "—" for one in phases)
    return (
        outcome.scenario,
        outcome.broke,
        rates,
        "" if outcome.recovery is None else f"{outcome.recovery:.1f} s",
        f"{jobs.sent:,} = {jobs.finished:,} + {jobs.stated:,}",
        str(jobs.lost),
        f"{jobs.duplicated} ({outcome.again:,} run again)",
        "held" if outcome.held else "BROKEN",
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
