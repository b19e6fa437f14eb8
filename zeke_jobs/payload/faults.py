"""Puts the errors of pydantic's validators into plain words: "expected X, got Y"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.quoting import describe
from zeke_jobs.core.redaction import MASK, is_sensitive
from zeke_jobs.payload.json_text import Fault, join, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "time_delta": "a duration",
    "none": "nothing",
    "datetime_past": "a time in the past",
    "datetime_future": "a time in the future",
    "date_past": "a date in the past",
    "date_future": "a date in the future",
    "uuid": "a UUID",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
    "url": "an address",
    "extra": "no such field",
    "typed_dict": "an object",
}

_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SIZES = {
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "url_too_long": ("at most", "max_length", "character"),
}


def expected(error: ErrorDetails) -> str:
    """The values that are accepted."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        bound = context.get(key)
        # pydantic writes an integer bound of a float field as a float; the author wrote an integer.
        bound = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        return f"{'' if kind == 'multiple_of' else 'a number of '}{words} {describe(bound)}"
    if kind in _SIZES:
        words, key, unit = _SIZES[kind]
        count = context.get(key, 1)
        return f"{words} {count} {unit}{'' if count == 1 else 's'}"
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        accepted = str(context.get("expected") or context.get("expected_tags"))
        return ("one of " if " or " in accepted else "") + re.sub(r" or (?='[^']*'$)", ", ", accepted)
    if kind == "union_tag_not_found":
        return f"a mapping with {context['discriminator']}"
    if kind == "string_pattern_mismatch":
        return f"text like {context.get('pattern')}"
    if kind == "url_scheme":
        return f"an address that begins with {context['expected_schemes']}"
    if kind == "uuid_version":
        return f"a UUID of version {context['expected_version']}"
    for start, name in _KINDS.items():
        if kind == start or kind.startswith(f"{start}_"):
            return name
    return re.sub(r"^(Input|Value|String|URL|UUID) should (be|have) ", "", error["msg"]).lower()


Path = tuple[str | int, ...]
_OF_FIELDS = {"missing", "extra_forbidden"}


def faults(error: ValidationError, payload: Any, sensitive: frozenset[str]) -> Iterator[Fault]:
    """The first fault of each place in a payload, in order. Values of ``sensitive`` fields are hidden."""
    located = [(_path(one, payload), one) for one in error.errors(include_url=False)]
    around = {path[:at] for path, _ in located for at in range(len(path))}
    around_values = {path[:at] for path, one in located if one["type"] not in _OF_FIELDS for at in range(len(path))}
    found: dict[Path, list[ErrorDetails]] = {}
    for path, one in located:
        is_of_member = len(one["loc"]) > len(path)
        # Of several models, assume the one in which the check came furthest.
        is_outdone = path[:-1] in around_values if one["type"] in _OF_FIELDS else path in around
        if not (is_of_member and is_outdone):
            found.setdefault(path, []).append(one)
    for path in sorted(found, key=lambda steps: [str(step) for step in steps]):
        first = found[path][0]
        place = ""
        for step in path:
            place = f"{place}[{step}]" if isinstance(step, int) else join(place, step)
        if first["type"] == "missing":
            yield place, "expected a value, got none"
        else:
            got = MASK if is_sensitive(path, sensitive) else shown(first["input"])
            yield place, f"expected {' or '.join(dict.fromkeys(map(expected, found[path])))}, got {got}"


def _path(error: ErrorDetails, value: Any) -> Path:
    """The place in the payload; pydantic's has the names of a union's members too."""
    path: Path = ()
    for step in error["loc"]:
        is_item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_item or (isinstance(value, dict) and step in value):
            path, value = (*path, step), value[step]
    return (*path, error["loc"][-1]) if error["type"] == "missing" else path
