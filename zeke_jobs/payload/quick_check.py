"""A quick test for payloads of plain fields, lists and models. If it says no, the slower jsonschema decides."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

Test = Callable[[Any], object]
_ABOUT = {"title", "description", "default", "examples"}
_OBJECT = {"type", "properties", "required", "$defs", "additionalProperties", "anyOf"}
_SIZES = {"minItems", "maxItems"}
_LENGTHS = {"minLength", "maxLength"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TYPES: dict[str, type] = {"string": str, "boolean": bool, "integer": int, "number": float, "null": type(None)}
_DEEPEST = 4  # levels of models and lists; a model that contains itself would have no end


def quick_test(schema: Mapping[str, Any]) -> Test | None:
    """A test that passes only payloads that fit ``schema``; None if the schema has rules unknown to such a test."""
    return _object(schema, schema.get("$defs", {}), 0)


def _object(schema: Mapping[str, Any], models: Mapping[str, Any], depth: int) -> Test | None:
    if set(schema) - _ABOUT - _OBJECT or isinstance(schema.get("additionalProperties"), dict):
        return None
    choices = schema.get("anyOf", [{"required": []}])
    if any(set(choice) != {"required"} for choice in choices):
        return None
    if set(schema) - _ABOUT == {"type", "additionalProperties"} and schema["additionalProperties"] is True:
        return lambda value: type(value) is dict
    required = frozenset(schema.get("required", ()))
    either = [frozenset(choice["required"]) for choice in choices]
    fields = schema.get("properties", {})
    tests = {name: test for name, field in fields.items() if (test := _test(field, models, depth)) is not None}

    def fits(payload: Any) -> bool:
        if type(payload) is not dict or not required <= payload.keys():
            return False
        if not any(names <= payload.keys() for names in either):
            return False
        for name, value in payload.items():
            test = tests.get(name)
            if test is None or not test(value):
                return False
        return True

    return fits


def _test(field: Any, models: Mapping[str, Any], depth: int) -> Test | None:
    if not isinstance(field, dict) or depth > _DEEPEST:
        return None
    rules = set(field) - _ABOUT
    if rules == {"$ref"}:
        name = field["$ref"].removeprefix("#/$defs/")
        return _test(models[name], models, depth + 1) if name in models else None
    if rules == {"anyOf"}:
        return _any(field["anyOf"], models, depth)
    if field.get("type") == "object":
        return _object(field, models, depth)
    if field.get("type") == "array":
        return _list(field, models, depth) if rules - _SIZES == {"type", "items"} else None
    return _plain(field, rules)


def _any(branches: Sequence[Any], models: Mapping[str, Any], depth: int) -> Test | None:
    tests = [test for branch in branches if (test := _test(branch, models, depth)) is not None]
    return (lambda value: any(test(value) for test in tests)) if tests else None


def _list(field: Mapping[str, Any], models: Mapping[str, Any], depth: int) -> Test | None:
    test = _test(field["items"], models, depth + 1)
    if test is None:
        return None
    least, most = field.get("minItems", 0), field.get("maxItems", inf)
    return lambda value: type(value) is list and least <= len(value) <= most and all(map(test, value))


def _plain(field: Mapping[str, Any], rules: set[str]) -> Test | None:
    kind = _TYPES.get(field["type"]) if isinstance(field.get("type"), str) else None
    if kind is None:
        return None
    if rules == {"type"}:
        return lambda value: type(value) is kind
    if rules == {"type", "format"} and field["format"] == "uuid":
        return lambda value: type(value) is str and _UUID.fullmatch(value)
    if rules == {"type", "enum"} and kind is str:
        choices = frozenset(field["enum"])
        return lambda value: type(value) is str and value in choices
    if rules - _LENGTHS == {"type"} and kind is str:
        least, most = field.get("minLength", 0), field.get("maxLength", inf)
        return lambda value: type(value) is str and least <= len(value) <= most
    return None
