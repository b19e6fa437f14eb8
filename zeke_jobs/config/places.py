"""The place of each value in a text, and the faults of the text in one message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zeke_jobs.core.quoting import Diagnostic, printable

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text. Lines and columns count from 1; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them; at least one."""
    return _BREAK.split(text)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """All faults in readable form, and their number."""
    listed = list(diagnostics)
    count = "1 error" if len(listed) == 1 else f"{len(listed)} errors"
    return "\n\n".join([*map(str, listed), f"{count} in {listed[0].file}" if listed else count])


START = Span(1, 1, 1, 2)

Path = tuple[str | int, ...]


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """A value and each value inside it, with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from walk(item, (*path, step))


@dataclass(slots=True)
class Place:
    """The place of a value: its own span, the span to show, its key's span, and the places inside."""

    span: Span
    key: Span | None = None
    inside: dict[str | int, Place] = field(default_factory=dict)
    is_block: bool = False

    @property
    def head(self) -> Span:
        """The span to show: the key of a value that is empty or has several lines."""
        is_empty = (self.span.line, self.span.column) == (self.span.end_line, self.span.end_column)
        return self.key if self.key and (self.is_block or is_empty) else self.span


@dataclass(slots=True)
class Document:
    """A parsed text and its faults: one for each place, but all missing keys there."""

    name: str  # the name of the text in its faults
    lines: list[str]
    value: Any = None
    root: Place = field(default_factory=lambda: Place(START))
    is_whole: bool = True  # false when YAML could not be read to the end
    found: dict[tuple[int, int, str], Diagnostic] = field(default_factory=dict)

    def named(self, name: str) -> Document:
        """A copy of this name that may get more faults."""
        return replace(self, name=name, found=dict(self.found))

    def diagnostics(self) -> list[Diagnostic]:
        """All faults in the order of the text."""
        return sorted(replace(one, file=self.name) for one in self.found.values())

    def add(self, span: Span, message: str, help: str = "", *, missing: str = "") -> None:  # noqa: A002
        """Note a fault at ``span``, unless that place has one already.

        ``missing`` is the key whose absence is the fault; other faults at the place do not hide it.
        """
        source = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        length = (span.end_column if span.end_line == span.line else len(source) + 1) - span.column
        fault = Diagnostic("", span.line, span.column, printable(message), printable(help), max(1, length), source)
        self.found.setdefault((span.line, span.column, missing), fault)

    def find(self, path: Sequence[str | int]) -> tuple[Place, Path]:
        """The place of ``path``, or of its nearest existing ancestor, with the part of the path that leads there."""
        place = self.root
        for depth, step in enumerate(path):
            if step not in place.inside:
                return place, tuple(path[:depth])
            place = place.inside[step]
        return place, tuple(path)

    def refuse(self, path: Sequence[str | int], message: str, help: str = "") -> None:  # noqa: A002
        """Report a fault of the value at ``path``."""
        self.add(self.find(path)[0].head, message, help)

    def refuse_key(self, path: Sequence[str | int], message: str, help: str = "", *, missing: str = "") -> None:  # noqa: A002
        """Report a fault of the key at the end of ``path``, or of a key that is ``missing`` in its mapping."""
        place = self.find(path)[0]
        self.add(place.key or place.head, message, help, missing=missing)
