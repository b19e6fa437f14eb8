"""Parses YAML text into plain values with their places in the text, refuses easily misread YAML, and collects faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.syntax import Span, explain, meaning, span, split_lines
from zeke_jobs.core.quoting import Diagnostic, describe, printable, quote
from zeke_jobs.payload.faults import KEY, Path

LONGEST_TEXT = 1_000_000
START = Span(1, 1, 1, 2)
EXAMPLE = "a file starts with version: 1 and has tasks:, each with a handler: package.module:function"
_SHARED = "write shared keys under defaults, or repeat them"
_DEEPEST = 40
_MOST_MENDS = 50


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """Return a text that shows all faults and their number."""
    listed = list(diagnostics)
    count = "1 error" if len(listed) == 1 else f"{len(listed)} errors"
    return "\n\n".join([*map(str, listed), f"{count} in {listed[0].file}" if listed else count])


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield a value and each value inside that value, each with its path."""
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from walk(item, (*path, step))


@dataclass(slots=True)
class Place:
    """Holds where a value is in the text: the spans of the value and of its key, and the places of its inner values."""

    span: Span
    inside: dict[str | int, Place] = field(default_factory=dict)
    is_block: bool = False
    key: Span | None = None

    @property
    def head(self) -> Span:
        """Return the span to show with a fault. For a value that is empty or has several lines, it is the span of the key."""
        is_empty = (self.span.line, self.span.column) == (self.span.end_line, self.span.end_column)
        return self.key if self.key and (self.is_block or is_empty) else self.span


@dataclass(slots=True)
class Document:
    """Holds a parsed text and its faults. Each place in the text, and each missing key, has at most one fault."""

    lines: list[str]
    value: Any = None
    root: Place = field(default_factory=lambda: Place(START))
    is_whole: bool = False  # whether YAML could be read to the end
    found: dict[tuple[int, int, str], Diagnostic] = field(default_factory=dict)

    def diagnostics(self, name: str) -> list[Diagnostic]:
        """Return all faults in the order of the text. ``name`` is the file's name to show in them."""
        return sorted(replace(one, file=name) for one in self.found.values())

    def add(self, at: Span, message: str, help: str = "", *, missing: str = "") -> None:  # noqa: A002
        """Add a fault. Only the first fault of each place, and of each ``missing`` key at a place, is kept."""
        source = self.lines[at.line - 1] if at.line <= len(self.lines) else ""
        length = (at.end_column if at.end_line == at.line else len(source) + 1) - at.column
        fault = Diagnostic("", at.line, at.column, printable(message), printable(help), max(1, length), source)
        self.found.setdefault((at.line, at.column, missing), fault)

    def find(self, path: Sequence[str | int]) -> tuple[Place, int]:
        """Return the place of the value at ``path``, or of its nearest existing parent, and the depth of this place."""
        place = self.root
        for depth, step in enumerate(path):
            if step not in place.inside:
                return place, depth
            place = place.inside[step]
        return place, len(path)

    def refuse(self, path: Path, message: str, help: str = "") -> None:  # noqa: A002
        """Report a fault at ``path``, which may end with ``KEY`` (the value's key) or ``KEY, name`` (a missing key)."""
        place, depth = self.find(path)
        rest = path[depth:]
        missing = str(rest[-1]) if rest[-2:-1] == (KEY,) else ""
        self.add((place.key if KEY in rest else None) or place.head, message, help, missing=missing)


def parse(text: str) -> Document:
    """Read one YAML document of mappings, lists and scalars. YAML's tags, anchors and merges are refused."""
    document = Document(split_lines(text))
    if len(text) > LONGEST_TEXT:
        document.add(START, f"expected at most {LONGEST_TEXT:,} characters, got {len(text):,}")
        return document
    for _ in range(_MOST_MENDS):
        try:
            document.value, document.root = _Reader(document, text).read()
            document.is_whole = True
        except yaml.YAMLError as error:
            fault = explain(error, text)
            document.add(fault.span, fault.message, fault.help)
            if fault.mended is not None:
                text = fault.mended  # only the value on this line changed, so all other places stay correct
                continue
        except _StopError:
            pass
        break
    return document


class _StopError(Exception):
    """Ends the parsing of a text whose rest cannot be read. The fault is already in the ``Document``."""


class _Reader:
    def __init__(self, document: Document, text: str) -> None:
        self._document = document
        self._events = _events(text)

    def read(self) -> tuple[Any, Place]:
        found: tuple[Any, Place] | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if found is not None:
                self._refuse(event, "expected one document, got a second one", "remove this --- and what follows")
                raise _StopError
            found = self._node(next(self._events), 0)
        if found is None or found[0] is None:
            self._document.add(START, "expected a mapping with version and tasks, got an empty file", EXAMPLE)
            raise _StopError
        return found

    def _refuse(self, event: yaml.Event, message: str, help: str = "") -> None:  # noqa: A002
        self._document.add(span(event.start_mark, event.end_mark), message, help)

    def _node(self, event: yaml.Event, depth: int) -> tuple[Any, Place]:
        if depth > _DEEPEST:
            self._refuse(event, f"expected at most {_DEEPEST} levels, got a deeper one")
            raise _StopError
        self._refuse_graph(event)
        if not isinstance(event, yaml.CollectionStartEvent):
            value = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None
            return value, Place(span(event.start_mark, event.end_mark))
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
        inside: dict[str | int, Place] = {}
        end = next(self._events)
        while not isinstance(end, yaml.CollectionEndEvent):
            key, place = self._node(end, depth + 1)
            if isinstance(value, list):
                inside[len(value)] = place
                value.append(key)
            else:
                item, at = self._node(next(self._events), depth + 1)
                at.key = place.head
                if self._accepts_key(key, end, at.key, inside):
                    value[key], inside[key] = item, at
            end = next(self._events)
        is_block = not event.flow_style
        return value, Place(span(event.start_mark, (event if is_block else end).end_mark), inside, is_block)

    def _refuse_graph(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            help_ = "aliases are not supported: write the value out, or in quotes if the * belongs to it"
            self._refuse(event, f"expected a value, got the YAML alias *{event.anchor}", help_)
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            fault = f"expected a value, got the YAML anchor &{event.anchor}"
            self._document.add(span(event.start_mark), fault, f"anchors are not supported: {_SHARED}")
        elif (tag := getattr(event, "tag", None)) is not None:
            help_ = "tags are not supported: write text in quotes, numbers and true or false bare"
            self._document.add(span(event.start_mark), f"expected a value, got the YAML tag {quote(str(tag))}", help_)

    def _accepts_key(self, key: Any, event: yaml.Event, at: Span, inside: dict[str | int, Place]) -> bool:
        if (at.line, at.column, "") in self._document.found:  # the key itself has a fault
            return False
        if key == "<<" and getattr(event, "style", None) is None:
            self._document.add(at, "expected a key, got the YAML merge <<", f"merging is not supported: {_SHARED}")
        elif not isinstance(key, str):
            bare = "null" if key is None else describe(key)
            is_number = isinstance(key, int | float) and not isinstance(key, bool)
            help_ = "" if isinstance(key, dict | list) else f'write "{bare}"'
            got = f"the number {bare}" if is_number else describe(key)
            self._document.add(at, f"expected text as a key, got {got}", help_)
        elif key in inside:
            other = inside[key].key
            help_ = f"it is also in line {other.line if other else '?'}; keep one of the two"
            self._document.add(at, f"expected each key once, got {quote(key)} again", help_)
        else:
            return True
        return False

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if event.style is None and event.implicit[0]:
            try:
                return meaning(event.value)
            except EntryError as trap:
                self._refuse(event, *trap.args)
                return event.value
        odd = next((char for char in event.value if char == "\0" or "\ud800" <= char <= "\udfff"), None)
        if odd is not None:
            self._refuse(event, f"expected text, got the character U+{ord(odd):04X} in it")
        return event.value


def _events(text: str) -> Iterator[yaml.Event]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            event: yaml.Event = loader.get_event()  # type: ignore[no-untyped-call]
            yield event
    except (ValueError, OverflowError) as error:  # PyYAML raises these errors for an escape beyond Unicode
        context = "while scanning a double-quoted scalar"
        raise yaml.MarkedYAMLError(context, problem=str(error), problem_mark=loader.get_mark()) from error
    finally:
        loader.dispose()
