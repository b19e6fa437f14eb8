"""A quick yes for payloads of plain fields, which most are; where it is not sure, jsonschema decides (ten times slower)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Test = Callable[[Any], object]

_ABOUT = {"title", "description", "default", "examples"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "number": float, "null": type(None)}


def quick_test(schema: Mapping[str, Any]) -> Callable[[dict[str, Any]], bool] | None:
    """A test that is True only for payloads that fit ``schema``; None where the schema says more than such a test knows."""
    if set(schema) - _ABOUT - {"type", "properties", "required", "$defs", "additionalProperties"}:
        return None
    if isinstance(schema.get("additionalProperties"), dict):
        return None
    required = frozenset(schema.get("required", ()))
    tests = {name: test for name, field in schema.get("properties", {}).items() if (test := _test(field)) is not None}

    def fits(payload: dict[str, Any]) -> bool:
        if not required <= payload.keys():
            return False
        for name, value in payload.items():
            test = tests.get(name)
            if test is None or not test(value):
                return False
        return True

    return fits


def _test(field: Mapping[str, Any]) -> Test | None:
    rules = set(field) - _ABOUT
    kind = _TYPES.get(field["type"]) if rules and isinstance(field.get("type"), str) else None
    if kind is None:
        return None
    if rules == {"type"}:
        return lambda value: type(value) is kind
    if rules == {"type", "format"} and field["format"] == "uuid":
        return lambda value: type(value) is str and _UUID.fullmatch(value)
    if rules == {"type", "enum"} and kind is str:
        choices = frozenset(field["enum"])
        return lambda value: type(value) is str and value in choices
    return None
