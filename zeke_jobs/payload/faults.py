"""Puts the errors of a payload's validator into plain words: "expected X, got Y"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.redaction import MASK, is_sensitive
from zeke_jobs.payload.expected import expected
from zeke_jobs.payload.json_text import Fault, join, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

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
