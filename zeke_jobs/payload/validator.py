"""Makes pydantic's validator from the JSON Schema of a payload. It accepts unknown keywords: the worker checks them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "str", "strict": True},
    "boolean": {"type": "bool", "strict": True},
    "integer": {"type": "int", "strict": True},
    "number": {"type": "float", "strict": True},
    "null": {"type": "none"},
}
_FORMATS = {"uuid": "uuid", "date-time": "datetime", "date": "date", "time": "time", "uri": "url"}
_BOUNDS = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_length",
    "maxItems": "max_length",
    "minProperties": "min_length",
    "maxProperties": "max_length",
}


def validator(schema: Mapping[str, Any]) -> SchemaValidator:
    """A validator of payloads in JSON; it refuses unknown fields of models."""
    from pydantic_core import SchemaError, SchemaValidator

    models = [{**_core(model), "ref": name} for name, model in schema.get("$defs", {}).items()]
    whole: Any = {"type": "definitions", "schema": _core({"type": "object", **schema}), "definitions": models}
    try:
        return SchemaValidator(whole)
    except SchemaError:  # a reference of the schema leads elsewhere
        return SchemaValidator({"type": "dict"})


def _core(field: Any) -> dict[str, Any]:
    """The part of pydantic's schema for a part of a JSON Schema."""
    match field:
        case {"$ref": str(place)}:
            return {"type": "definition-ref", "schema_ref": place.removeprefix("#/$defs/")}
        case {"const": value}:
            return {"type": "literal", "expected": [value]}
        case {"enum": [_, *_] as values}:
            return {"type": "literal", "expected": values}
        case {"type": "object"}:
            return _object(field)
        case {"type": "array"}:
            return _array(field)
        case {"type": "string", "format": str(name)} if name in _FORMATS:
            return {"type": _FORMATS[name]}
        case {"type": str(name)} if name in _TYPES:
            return {**_TYPES[name], **_bounds(field)}
        case dict():
            return _union(field)
    return {"type": "any"}


def _union(field: Mapping[str, Any]) -> dict[str, Any]:
    match field:
        case {"discriminator": {"propertyName": str(name), "mapping": {**places}}} if _are_texts(places):
            choices = {tag: _core({"$ref": place}) for tag, place in places.items()}
            return {"type": "tagged-union", "discriminator": name, "choices": choices}
        case {"anyOf": [*branches]} | {"oneOf": [*branches]}:
            return {"type": "union", "choices": [_core(branch) for branch in branches]}
        case {"allOf": [branch]}:
            return _core(branch)
    return {"type": "any"}


def _are_texts(tags: Iterable[object]) -> bool:
    """Whether no tag is a number or a boolean, which a mapping has as text too."""
    return not any(tag in ("true", "false") or str(tag).lstrip("-").isdigit() for tag in tags)


def _array(field: Mapping[str, Any]) -> dict[str, Any]:
    if parts := field.get("prefixItems"):
        items, least = [_core(part) for part in parts], field.get("minItems", 0)
        # A NamedTuple's last items may have defaults.
        items[least:] = [{"type": "default", "schema": one, "default": None} for one in items[least:]]
        return {"type": "tuple", "items_schema": items}
    return {"type": "list", "strict": True, "items_schema": _core(field.get("items")), **_bounds(field)}


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    others = schema.get("additionalProperties")
    if "properties" not in schema and others is not False:
        keys = _core({"type": "string", **schema.get("propertyNames", {})})
        return {"type": "dict", "strict": True, "keys_schema": keys, "values_schema": _core(others), **_bounds(schema)}
    # A model may need one of several fields.
    needed = [branch["required"] for branch in schema.get("anyOf", ()) if branch.keys() == {"required"}] or [[]]
    choices = [_model(schema, {*schema.get("required", ()), *names}) for names in needed]
    return {"type": "union", "choices": choices} if len(choices) > 1 else choices[0]


def _model(schema: Mapping[str, Any], required: Collection[str]) -> dict[str, Any]:
    fields = {
        name: {"schema": _core(one), "required": name in required} for name, one in schema.get("properties", {}).items()
    }
    others = schema.get("additionalProperties")
    extra = {"extra_behavior": "allow", "extras_schema": _core(others)} if others else {"extra_behavior": "forbid"}
    own = {name: {"type": "typed-dict-field", **one} for name, one in fields.items()}
    return {"type": "typed-dict", "strict": True, "fields": own, **extra}


def _bounds(field: Mapping[str, Any]) -> dict[str, Any]:
    bounds = {own: field[name] for name, own in _BOUNDS.items() if name in field}
    if "pattern" in bounds:
        with suppress(re.error):  # Python can look ahead; pydantic's own engine has classes such as \p{L}
            re.compile(bounds["pattern"])
            bounds["regex_engine"] = "python-re"
    return bounds
