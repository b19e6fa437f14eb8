"""The outcome of a scenario has its figures, and says whether all promises hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.lab.chaos.proof import Account


class Impossible(Exception):
    """The scenario cannot run on this machine; the exception says why."""


@dataclass(frozen=True)
class Outcome:
    scenario: str
    broke: str = ""  # ``broke`` describes the fault.
    figures: Sequence[str] = ("", "", "", "", "")
    promises: Sequence[tuple[str, bool]] = ()  # Each entry has a promise, and says whether it holds.
    note: str = ""
    skipped: str = ""  # ``skipped`` says why the scenario could not run.
    account: Account = field(default_factory=Account)
    server: str = ""
    stuck: Sequence[str] = ()  # Each entry has a job that did not end, or a line of its log.

    @property
    def broken(self) -> list[str]:
        return [text for text, held in self.promises if not held]

    def row(self) -> str:
        verdict = "" if self.skipped else "BROKEN" if self.broken else "held"
        return f"| `{self.scenario}` | {' | '.join((*self.figures, verdict))} |"

    def required(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        words = "; ".join(f"NOT: {text}" for text in self.broken) or "; ".join(text for text, _ in self.promises)
        return f"{words}{'. ' + self.note if self.note else ''}"


HEADINGS = ("scenario", "jobs/s before → during → after", "recovery", "sent = completed + stated", "lost", "twice", "")


def table(outcomes: Iterable[Outcome], about: str) -> str:
    """Format all outcomes in Markdown, with the promises below the table."""
    found = list(outcomes)
    heads = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    said = [f"- `{one.scenario}`: {one.broke}. Required: {one.required()}." for one in found]
    return "\n".join([about, "", *heads, *(one.row() for one in found), "", *said])
