"""Names and values in sentences: quoted, described, and the nearest accepted name."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

_LONGEST_QUOTE = 50


def quote(text: str) -> str:
    """The text in quotes, shortened and without characters that disturb a terminal."""
    short = text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"
    return f"'{printable(short)}'"


def describe(value: Any) -> str:
    """A value of jobs.yaml in the words of its author."""
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
            return printable(str(value)[:_LONGEST_QUOTE])


def suggest(name: str, accepted: Iterable[str], *, what: str = "accepted") -> str:
    """A help line: the nearest of the ``accepted`` names, or all of them when none is near."""
    names = [str(one) for one in accepted]
    if near := nearest(name, names):
        return f"did you mean {quote(near)}?"
    return f"{what}: {', '.join(names)}" if names else ""


def nearest(name: str, accepted: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The one of ``accepted`` with the spelling most like ``name``, if any is near; case matters least."""
    names = list(accepted)
    by_lower = {one.lower(): one for one in reversed(names)}
    same_case = get_close_matches(name, names, n=1, cutoff=likeness)
    any_case = get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return same_case[0] if same_case else by_lower[any_case[0]] if any_case else None


def printable(text: str) -> str:
    """The text with a replacement character for each one that would disturb a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)


_WIDEST = 100


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One fault with its place; ``str()`` formats it for people."""

    file: str  # name of the text
    line: int  # from 1
    column: int  # from 1, in characters
    message: str  # "expected X, got Y"
    help: str = ""  # the remedy, or ""
    length: int = 1  # number of characters at fault
    source: str = ""  # the line at fault

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: error: {self.message}"
        gutter = f"{self.line:>5} | "
        # Of a long line the part around the fault.
        start = max(0, self.column - 1 - _WIDEST // 2) if len(self.source) > _WIDEST else 0
        before, shown = self.column - 1 - start, self.source[start : start + _WIDEST]
        carets = "^" * max(1, min(self.length, len(shown) - before))
        blank = "".join("\t" if char == "\t" else " " for char in shown[:before])
        lines = [head]
        if self.source.strip():
            lines += [gutter + printable(shown), " " * (len(gutter) - 2) + "| " + blank + carets]
        if self.help:
            lines += [f"  help: {self.help}"]
        return "\n".join(lines)
