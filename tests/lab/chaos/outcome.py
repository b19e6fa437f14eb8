"""The outcome of a scenario has its figures, and says whether all promises hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.chaos.proof import Account


class Impossible(Exception):
    """The scenario cannot run on this machine; the exception says why."""


@dataclass(frozen=True)
class Promise:
    text: str
    held: bool


@dataclass(frozen=True)
class Outcome:
    scenario: str
    broke: str  # ``broke`` describes the fault.
    account: Account = field(default_factory=Account)
    # The rates are jobs completed per second before, during and after the fault.
    rates: Mapping[str, float] = field(default_factory=dict)
    # ``recovery`` is the seconds from the end of the fault until half of the earlier rate was reached.
    recovery: float | None = None
    again: int = 0  # ``again`` counts repeated runs of handlers, by the trace outside the database.
    promises: tuple[Promise, ...] = ()
    note: str = ""
    skipped: str = ""  # ``skipped`` says why the scenario could not run.
    seconds: float = 0.0
    server: str = ""
    stuck: Sequence[str] = ()  # Each entry has a job that did not end, and the job's log.

    @property
    def held(self) -> bool:
        return all(promise.held for promise in self.promises)

    def broken(self) -> list[str]:
        return [promise.text for promise in self.promises if not promise.held]


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Format a row of the table: the fault, the figures, the promises, the verdict."""
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
    """Format all outcomes in Markdown, with the promises below the table."""
    found = [cells(outcome) for outcome in outcomes]
    rows = [f"| `{row[0]}` | {' | '.join(row[2:8])} |" for row in found]
    said = [f"- `{name}`: {broke}. Required: {held}." for name, broke, *_, held in found]
    heads = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    return "\n".join([about, "", *heads, *rows, "", *said])
