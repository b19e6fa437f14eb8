"""Puts jsonschema's errors into plain words: "expected X, got Y"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

from zeke_jobs.core.redaction import is_sensitive
from zeke_jobs.payload.json_text import Fault, join, shown

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FORMATS = FormatChecker(formats=())
_HIDDEN = "***"


def _format(name: str, read: Callable[[str], object]) -> None:
    def accepts(value: object) -> bool:
        return not isinstance(value, str) or bool(read(value) or True)

    _FORMATS.checks(name, raises=ValueError)(accepts)


def _absolute(value: str) -> object:
    parts = urlsplit(value)
    if not parts.scheme or not parts.netloc:
        raise ValueError("expected an absolute URL")
    return parts


_format("uuid", UUID)
_format("date-time", datetime.fromisoformat)
_format("date", date.fromisoformat)
_format("time", time.fromisoformat)
_format("uri", _absolute)


def validator(schema: dict[str, Any]) -> Validator:
    """A validator that also checks the formats that pydantic's models produce."""
    return Draft202012Validator(schema, format_checker=_FORMATS)


def faults(check: Validator, payload: Any, sensitive: frozenset[str]) -> Iterator[Fault]:
    """The first fault of each place in a payload, in order. Values of ``sensitive`` fields are hidden."""
    found: dict[str, str] = {}
    for error in sorted(check.iter_errors(payload), key=lambda e: [str(step) for step in e.absolute_path]):
        for place, message in _faults_of(error, sensitive):
            found.setdefault(place, message)
    yield from found.items()


def _faults_of(error: Any, sensitive: frozenset[str]) -> Iterator[Fault]:
    if error.context and not _is_choice_of_types(error):
        # With several models, assume the one in which the check came furthest.
        yield from _faults_of(
            max(error.context, key=lambda one: (one.validator_value != "null", len(one.absolute_path))), sensitive
        )
        return
    place = error.json_path.removeprefix("$").removeprefix(".")
    if error.validator == "required":
        # jsonschema reports each missing field as its own error, and only the message names the field.
        for name in error.validator_value:
            if name not in error.instance and error.message.startswith(repr(name)):
                yield join(place, name), "expected a value, got none"
        return
    hidden = is_sensitive(error.absolute_path, sensitive)
    got = _HIDDEN if hidden else shown(error.instance)
    one_of = "one of " if error.validator == "enum" else ""
    yield place, f"expected {one_of}{_expected(error.validator, error.validator_value)}, got {got}"


def _is_choice_of_types(error: Any) -> bool:
    return all(
        set(branch) & {"type", "const", "enum"} and "properties" not in branch for branch in error.validator_value
    )


_WORDS: dict[str, str] = {
    "minimum": "at least {0}",
    "exclusiveMinimum": "more than {0}",
    "maximum": "at most {0}",
    "exclusiveMaximum": "less than {0}",
    "multipleOf": "a multiple of {0}",
    "minLength": "text of at least {0} characters",
    "maxLength": "text of at most {0} characters",
    "pattern": "text that matches {0}",
    "minItems": "at least {0} items",
    "maxItems": "at most {0} items",
    "minProperties": "at least {0} fields",
    "maxProperties": "at most {0} fields",
}
_TYPES = {
    "object": "an object",
    "array": "a list",
    "integer": "an integer",
    "string": "text",
    "boolean": "true or false",
}


def _expected(rule: str, value: Any) -> str:
    if rule == "type":
        return _type(value)
    if rule == "format":
        return f"a {value}"
    if rule == "const":
        return repr(value)
    if rule == "enum":
        return ", ".join(map(repr, value))
    if rule in ("anyOf", "oneOf"):
        return " or ".join(dict.fromkeys(_branch(branch) for branch in value))
    if rule == "uniqueItems":
        return "a list without repetitions"
    if rule in _WORDS:
        return re.sub(r"\b1 (\w+)s\b", r"1 \1", _WORDS[rule].format(value))
    return f"a value that its schema's {rule!r} allows"


def _type(value: Any) -> str:
    names = [value] if isinstance(value, str) else list(value)
    return " or ".join(_TYPES.get(name, "nothing" if name == "null" else f"a {name}") for name in names)


def _branch(branch: dict[str, Any]) -> str:
    rule = next(rule for rule in ("enum", "const", "format", "type") if rule in branch)
    return _expected(rule, branch[rule])
