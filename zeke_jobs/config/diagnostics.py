"""A fault of jobs.yaml: where it is, what was expected, what would be accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_WIDEST = 100
_LONGEST_QUOTE = 50


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


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One fault with its place; ``str()`` is what a person reads.

    Attributes:
        file: The name that the text was given.
        line: From 1.
        column: From 1, in characters.
        message: "expected X, got Y".
        help: What to do about it, or "".
        length: How many characters are at fault.
        source: The line at fault.
    """

    file: str
    line: int
    column: int
    message: str
    help: str = ""
    length: int = 1
    source: str = ""

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: error: {self.message}"
        gutter = f"{self.line:>5} | "
        before, shown = _crop(self.source, self.column - 1)
        carets = "^" * max(1, min(self.length, len(shown) - before))
        blank = "".join("\t" if char == "\t" else " " for char in shown[:before])
        lines = [head]
        if self.source.strip():
            lines += [gutter + _printable(shown), " " * (len(gutter) - 2) + "| " + blank + carets]
        if self.help:
            lines += [f"  help: {self.help}"]
        return "\n".join(lines)


@dataclass
class Report:
    """Collects the faults of one text. What is wrong at a place is said once; what is missing there, all of it."""

    file: str
    lines: list[str]
    found: dict[tuple[int, int, str], Diagnostic] = field(default_factory=dict)

    def add(self, span: Span, message: str, help: str = "", *, missing: str = "") -> None:  # noqa: A002
        """Note a fault at ``span``, unless one is known there.

        ``missing`` is the key whose absence is the fault, which other faults of the place do not explain.
        """
        source = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        on_one_line = span.end_line == span.line
        length = (span.end_column if on_one_line else len(source) + 1) - span.column
        self.found.setdefault(
            (span.line, span.column, missing),
            Diagnostic(
                self.file, span.line, span.column, _printable(message), _printable(help), max(1, length), source
            ),
        )

    def knows(self, span: Span) -> bool:
        """Whether this place has a fault already."""
        return (span.line, span.column, "") in self.found

    def diagnostics(self) -> list[Diagnostic]:
        """All faults, in the order of the text."""
        return sorted(self.found.values())


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them; at least one."""
    return _BREAK.split(text)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """All faults as a person reads them, and their number."""
    listed = list(diagnostics)
    count = "1 error" if len(listed) == 1 else f"{len(listed)} errors"
    return "\n\n".join([*map(str, listed), f"{count} in {listed[0].file}" if listed else count])


def quote(text: str) -> str:
    """The text in quotes, short and with nothing that would disturb a terminal."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f"'{_printable(short)}'"


def describe(value: Any) -> str:
    """A value of jobs.yaml as its author would name it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value) if value else "empty text"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return _printable(str(value)[:_LONGEST_QUOTE])


def suggest(name: str, accepted: Iterable[str], *, what: str = "accepted") -> str:
    """A help line: the nearest of ``accepted``, or all of them where none is near."""
    names = [str(one) for one in accepted]
    if near := nearest(name, names):
        return f"did you mean {quote(near)}?"
    return f"{what}: {', '.join(names)}" if names else ""


def nearest(name: str, accepted: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The one of ``accepted`` that is spelled most like ``name``, if any is; case matters least."""
    names = list(accepted)
    by_lower = {one.lower(): one for one in reversed(names)}
    same_case = get_close_matches(name, names, n=1, cutoff=likeness)
    any_case = get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return same_case[0] if same_case else by_lower[any_case[0]] if any_case else None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)


def _crop(source: str, at: int) -> tuple[int, str]:
    """The part of a long line around ``at``, and where ``at`` is in it."""
    start = max(0, at - _WIDEST // 2) if len(source) > _WIDEST else 0
    return at - start, source[start : start + _WIDEST]
