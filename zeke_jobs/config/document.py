"""Parses YAML text into plain values with their places, and refuses YAML's traps."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml

from zeke_jobs.config.places import START, Document, Place, Span, split_lines
from zeke_jobs.config.syntax import TrapError, explain, first, meaning, mend
from zeke_jobs.core.quoting import describe, quote

LONGEST_TEXT = 1_000_000
EXAMPLE = "a file starts with version: 1 and has tasks:, each with a handler: package.module:function"
_SHARED = "write shared keys under defaults, or repeat them"
_DEEPEST = 40
_MOST_MENDS = 50


class _StopError(Exception):
    """The rest of the text cannot be read; the document has the reason."""


def parse(text: str, name: str) -> Document:
    """Read one YAML document of mappings, lists and scalars. Tags, anchors and merges are refused, never run.

    ``name`` is the name of the text in diagnostics. Reading a text again costs nothing: a command checks it alone,
    with the values set by hand, and without those that end.
    """
    return _parsed(text).named(name)


@lru_cache(maxsize=4)
def _parsed(text: str) -> Document:
    document = Document("", split_lines(text), is_whole=False)
    if len(text) > LONGEST_TEXT:
        document.add(START, f"expected at most {LONGEST_TEXT:,} characters, got {len(text):,}")
        return document
    for _ in range(_MOST_MENDS):
        try:
            _Reader(document).read(text)
        except yaml.YAMLError as error:
            fault = explain(error, text)
            document.add(fault.span, fault.message, fault.help)
            mended = mend(text, fault)
            if mended is None:
                break
            text = mended  # only the value on that line changed, so all other places stay correct
        except _StopError:
            break
        else:
            document.is_whole = True
            break
    return document


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self, text: str) -> None:
        events = _events(text)
        found: tuple[Any, Place] | None = None
        for event in events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if found is not None:
                self._document.add(
                    _span(event), "expected one document, got a second one", "remove this --- and what follows"
                )
                raise _StopError
            found = self._node(next(events), events, 0)
        if found is None or found[0] is None:
            self._document.add(START, "expected a mapping with version and tasks, got an empty file", EXAMPLE)
            raise _StopError
        self._document.value, self._document.root = found

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> tuple[Any, Place]:
        if depth > _DEEPEST:
            self._document.add(_span(event), f"expected at most {_DEEPEST} levels, got a deeper one")
            raise _StopError
        self._refuse_graph(event)
        match event:
            case yaml.MappingStartEvent():
                return self._mapping(event, events, depth)
            case yaml.SequenceStartEvent():
                return self._sequence(event, events, depth)
            case yaml.ScalarEvent():
                return self._scalar(event), Place(_span(event))
            case _:
                return None, Place(_span(event))

    def _refuse_graph(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent):
            help_ = "aliases are not supported: write the value out, or in quotes if the * belongs to it"
            self._document.add(_span(event), f"expected a value, got the YAML alias *{event.anchor}", help_)
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            fault = f"expected a value, got the YAML anchor &{event.anchor}"
            self._document.add(first(event.start_mark), fault, f"anchors are not supported: {_SHARED}")
        elif (tag := getattr(event, "tag", None)) is not None:
            help_ = "tags are not supported: write text in quotes, numbers and true or false bare"
            self._document.add(first(event.start_mark), f"expected a value, got the YAML tag {quote(str(tag))}", help_)

    def _mapping(self, start: yaml.Event, events: Iterator[yaml.Event], depth: int) -> tuple[dict[str, Any], Place]:
        value: dict[str, Any] = {}
        inside: dict[str | int, Place] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                return value, _collection(start, event, inside)
            key, key_place = self._node(event, events, depth + 1)
            item, place = self._node(next(events), events, depth + 1)
            place.key = key_place.head
            if self._accepts_key(key, event, place.key, inside):
                value[key], inside[key] = item, place
        raise AssertionError("the parser ends each mapping or raises")

    def _accepts_key(self, key: Any, event: yaml.Event, span: Span, inside: dict[str | int, Place]) -> bool:
        if (span.line, span.column, "") in self._document.found:  # the key itself has a fault
            return False
        if key == "<<" and getattr(event, "style", None) is None:
            self._document.add(span, "expected a key, got the YAML merge <<", f"merging is not supported: {_SHARED}")
        elif not isinstance(key, str):
            bare = "null" if key is None else describe(key)
            is_number = isinstance(key, int | float) and not isinstance(key, bool)
            got = f"the number {bare}" if is_number else describe(key)
            help_ = "" if isinstance(key, dict | list) else f'write "{bare}"'
            self._document.add(span, f"expected text as a key, got {got}", help_)
        elif key in inside:
            other = inside[key].key
            help_ = f"it stands first in line {other.line if other else '?'}; keep one of the two"
            self._document.add(span, f"expected each key once, got {quote(key)} again", help_)
        else:
            return True
        return False

    def _sequence(self, start: yaml.Event, events: Iterator[yaml.Event], depth: int) -> tuple[list[Any], Place]:
        value: list[Any] = []
        inside: dict[str | int, Place] = {}
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return value, _collection(start, event, inside)
            item, inside[len(value)] = self._node(event, events, depth + 1)
            value.append(item)
        raise AssertionError("the parser ends each sequence or raises")

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        if event.style is None and event.implicit[0]:
            try:
                return meaning(event.value)
            except TrapError as trap:
                message, help_ = trap.args
                self._document.add(_span(event), message, help_)
                return event.value
        odd = next((char for char in event.value if char == "\0" or "\ud800" <= char <= "\udfff"), None)
        if odd is not None:
            self._document.add(_span(event), f"expected text, got the character U+{ord(odd):04X} in it")
        return event.value


def _events(text: str) -> Iterator[yaml.Event]:
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_event():
            event: yaml.Event = loader.get_event()  # type: ignore[no-untyped-call]
            yield event
    except (ValueError, OverflowError) as error:  # raised by PyYAML for an escape beyond Unicode
        context = "while scanning a double-quoted scalar"
        raise yaml.MarkedYAMLError(context, problem=str(error), problem_mark=loader.get_mark()) from error
    finally:
        loader.dispose()


def _collection(start: yaml.Event, end: yaml.Event, inside: dict[str | int, Place]) -> Place:
    is_block = not getattr(start, "flow_style", None)
    span = _between(start.start_mark, start.end_mark if is_block else end.end_mark)
    return Place(span, inside=inside, is_block=is_block)


def _span(event: yaml.Event) -> Span:
    return _between(event.start_mark, event.end_mark)


def _between(start: Any, end: Any) -> Span:
    """The span between two marks of the parser."""
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)
