"""Collects the faults of a text, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from zeke_jobs.core.diagnostic import Diagnostic
from zeke_jobs.core.quoting import printable

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text. Lines and columns count from 1; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def first(self) -> Span:
        """Its first character."""
        return Span(self.line, self.column, self.line, self.column + 1)


@dataclass
class Report:
    """Collects the faults of one text: one fault for each place, but all missing keys there."""

    file: str
    lines: list[str]
    found: dict[tuple[int, int, str], Diagnostic] = field(default_factory=dict)

    def add(self, span: Span, message: str, help: str = "", *, missing: str = "") -> None:  # noqa: A002
        """Note a fault at ``span``, unless that place has one already.

        ``missing`` is the key whose absence is the fault; other faults at the place do not hide it.
        """
        source = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        on_one_line = span.end_line == span.line
        length = (span.end_column if on_one_line else len(source) + 1) - span.column
        self.found.setdefault(
            (span.line, span.column, missing),
            Diagnostic(self.file, span.line, span.column, printable(message), printable(help), max(1, length), source),
        )

    def knows(self, span: Span) -> bool:
        """Whether this place has a fault already."""
        return (span.line, span.column, "") in self.found

    def diagnostics(self) -> list[Diagnostic]:
        """All faults in the order of the text."""
        return sorted(self.found.values())


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them; at least one."""
    return _BREAK.split(text)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """All faults in readable form, and their number."""
    listed = list(diagnostics)
    count = "1 error" if len(listed) == 1 else f"{len(listed)} errors"
    return "\n\n".join([*map(str, listed), f"{count} in {listed[0].file}" if listed else count])
