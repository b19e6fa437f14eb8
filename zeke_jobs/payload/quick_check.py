"""A quick test for payloads of plain fields, lists and models, by pydantic. If it says no, the slower jsonschema decides."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

_ABOUT = {"title", "description", "default", "examples"}
_OBJECT = {"type", "properties", "required", "$defs", "additionalProperties", "anyOf"}
_SIZES = {"minItems": "min_length", "maxItems": "max_length"}
_LENGTHS = {"minLength": "min_length", "maxLength": "max_length"}
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "str"},
    "boolean": {"type": "bool"},
    "integer": {"type": "int"},
    "number": {"type": "float", "allow_inf_nan": False},
    "null": {"type": "none"},
}
_NEVER: dict[str, Any] = {"type": "is-instance", "cls": type("Nothing", (), {})}
"""Where a schema has rules unknown to such a test, no value passes."""


def quick_test(schema: Mapping[str, Any]) -> Callable[[object], bool]:
    """A test that passes only payloads that fit ``schema``."""
    from pydantic_core import SchemaError, SchemaValidator

    models = [{**_core(model), "ref": name} for name, model in schema.get("$defs", {}).items()]
    whole: Any = {"type": "definitions", "schema": _object(schema), "definitions": models}
    try:
        return partial(SchemaValidator(whole).isinstance_python, strict=True)
    except SchemaError:  # a reference of the schema leads elsewhere
        return lambda _: False


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    rules, others = set(schema) - _ABOUT, schema.get("additionalProperties")
    if rules == {"type", "additionalProperties"} and others is True:
        return {"type": "dict"}
    fields = {name: _core(field) for name, field in schema.get("properties", {}).items()}
    branches = schema.get("anyOf", [{"required": []}])
    needed = [{*schema.get("required", ()), *branch.get("required", ())} for branch in branches]
    if rules - _OBJECT or isinstance(others, dict) or any(set(branch) != {"required"} for branch in branches):
        return _NEVER
    return {
        "type": "union",
        "choices": [_model(fields, names) for names in needed if names <= fields.keys()] or [_NEVER],
    }


def _model(fields: Mapping[str, Any], required: set[str]) -> dict[str, Any]:
    own = {
        name: {"type": "typed-dict-field", "schema": one, "required": name in required} for name, one in fields.items()
    }
    return {"type": "typed-dict", "fields": own, "extra_behavior": "forbid"}


def _core(field: Any) -> dict[str, Any]:
    """The schema of pydantic's validator for a field."""
    rules = set(field) - _ABOUT if isinstance(field, dict) else set()
    if rules == {"$ref"}:
        return {"type": "definition-ref", "schema_ref": field["$ref"].removeprefix("#/$defs/")}
    if rules == {"anyOf"}:
        return {"type": "union", "choices": [_core(branch) for branch in field["anyOf"]]}
    match field:
        case {"type": "object"}:
            return _object(field)
        case {"type": "array", "items": items} if rules <= {"type", "items", *_SIZES}:
            return {"type": "list", "items_schema": _core(items), **_bounds(field, _SIZES)}
        case {"type": "string", "format": "uuid"} if rules == {"type", "format"}:
            return {"type": "str", "pattern": _UUID}
        case {"type": "string", "enum": choices} if rules == {"type", "enum"}:
            return {"type": "literal", "expected": choices}
        case {"type": str(kind)} if kind in _TYPES and rules <= {"type", *(_LENGTHS if kind == "string" else ())}:
            return {**_TYPES[kind], **_bounds(field, _LENGTHS)}
    return _NEVER


def _bounds(field: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {own: field[name] for name, own in names.items() if name in field}
