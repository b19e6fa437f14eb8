"""Makes a pydantic validator from a payload's JSON Schema, and phrases its errors as "expected X, got Y"."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.redaction import MASK, is_sensitive
from zeke_jobs.payload.json_text import Fault, join, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

_WORDS = {
    "greater_than": "a number of more than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number of less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} item",
    "too_long": "at most {max_length} item",
    "string_too_short": "at least {min_length} character",
    "string_too_long": "at most {max_length} character",
    "url_too_long": "at most {max_length} character",
    "string_pattern_mismatch": "text like {pattern}",
    "union_tag_not_found": "a mapping with {discriminator}",
    "url_scheme": "an address that begins with {expected_schemes}",
    "uuid_version": "a UUID of version {expected_version}",
}
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
"""Words for pydantic's types of errors, and for the beginnings of other types."""


def expected(error: ErrorDetails) -> str:
    """Describe the values that would be accepted in place of the wrong value, for example as "a whole number"."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        accepted = str(context.get("expected") or context.get("expected_tags"))
        return ("one of " if " or " in accepted else "") + re.sub(r" or (?='[^']*'$)", ", ", accepted)
    if kind in _WORDS:
        # pydantic turns the bound 5 of a float field into 5.0; show the bound as its author wrote it.
        whole = {name: int(one) for name, one in context.items() if isinstance(one, float) and one.is_integer()}
        text = _WORDS[kind].format_map(context | whole)
        return f"{text}s" if text.endswith((" item", " character")) and " 1 " not in text else text
    for start, name in _KINDS.items():
        if kind == start or kind.startswith(f"{start}_"):
            return name
    return re.sub(r"^(Input|Value|String|URL|UUID) should (be|have) ", "", error["msg"]).lower()


Path = tuple[str | int, ...]
KEY = "[key]"
"""The last step of a place if the fault is in the key, as in pydantic's errors."""


def faults(error: ValidationError, payload: Any, sensitive: frozenset[str]) -> Iterator[Fault]:
    """Yield the first fault at each path in a payload, in order. The values of ``sensitive`` fields are masked."""
    found = located(error, payload)
    for path in sorted(found, key=lambda steps: [str(step) for step in steps]):
        place, first = "", found[path][0]
        for step in path[:-1] if path[-1:] == (KEY,) else path:
            place = join(place, step)
        if first["type"] == "missing":
            yield place, "expected a value, got none"
        else:
            got = MASK if is_sensitive(path, sensitive) else shown(first["input"])
            yield place, f"expected {' or '.join(dict.fromkeys(map(expected, found[path])))}, got {got}"


def located(error: ValidationError, value: Any, spread: str = "") -> dict[Path, list[ErrorDetails]]:
    """Map each path in the value to the errors there. Of a union, use only the member that the value fits best."""
    errors = [(path_in(value, one, spread), one) for one in error.errors(include_url=False)]
    around = {path[:at] for path, _ in errors for at in range(len(path) - (path[-1:] == (KEY,)))}
    # For each path in the value: the union members, as paths of pydantic's errors, that refuse a value inside it.
    furthest: defaultdict[Path, set[Path]] = defaultdict(set)
    for path, one in errors:
        at = 0
        for depth, step in enumerate(path if one["type"] not in ("missing", "extra_forbidden") else ()):
            at = one["loc"].index(step, at)
            furthest[path[:depth]].add(one["loc"][:at])
            at += 1
    refused = {one["loc"] for _, one in errors if one["type"] == "extra_forbidden"}
    found: dict[Path, list[ErrorDetails]] = {}
    for path, one in errors:
        kind, member, key = one["type"], one["loc"][:-1], one["loc"][-1:]
        best = furthest.get(path[:-1], set())
        if kind == "missing":
            is_outdone = not best <= {member}
        elif kind == "extra_forbidden":
            is_outdone = any(other + key not in refused for other in best)
        else:
            is_outdone = path in around
        if len(one["loc"]) == len(path) or not is_outdone:
            found.setdefault(path, []).append(one)
    return found


def path_in(value: Any, error: ErrorDetails, spread: str = "") -> Path:
    """Return an error's path in the value, without names of union members. The class Subject explains ``spread``."""
    path: Path = ()
    for at, step in enumerate(error["loc"]):
        if step == spread and isinstance(value, dict) and error["loc"][at + 1 : at + 2]:
            key = error["loc"][at + 1]
            if key in value and not (isinstance(value.get(step), dict) and key in value[step]):
                continue
        is_item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if is_item or (isinstance(value, dict) and step in value):
            path, value = (*path, step), value[step]
    last = error["loc"][-1:]
    return (*path, *last) if error["type"] == "missing" or last == (KEY,) else path


_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "str", "strict": True},
    "boolean": {"type": "bool", "strict": True},
    "integer": {"type": "int", "strict": True},
    "number": {"type": "float", "strict": True},
    "null": {"type": "none"},
}
_FORMATS = {"uuid": "uuid", "date-time": "datetime", "date": "date", "time": "time", "uri": "url"}
_KEYWORDS = {"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"}
_KEYWORDS |= {"multipleOf": "multiple_of", "pattern": "pattern"}
_KEYWORDS |= {f"{end}{of}": f"{end}_length" for end in ("min", "max") for of in ("Length", "Items", "Properties")}


def validator(schema: Mapping[str, Any]) -> SchemaValidator:
    """Return pydantic's validator for a JSON Schema of payloads. It refuses unknown fields of models."""
    from pydantic_core import SchemaError, SchemaValidator

    models = [{**_core(model), "ref": name} for name, model in schema.get("$defs", {}).items()]
    whole: Any = {"type": "definitions", "schema": _core({"type": "object", **schema}), "definitions": models}
    try:
        return SchemaValidator(whole)
    except SchemaError:  # a reference in the schema leads out of the schema
        return SchemaValidator({"type": "dict"})


def _core(field: Any) -> dict[str, Any]:
    """Translate a part of a JSON Schema into a part of a pydantic-core schema."""
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
        # Do not use a mapping whose tags are numbers or booleans, because JSON Schema writes them as text.
        case {"discriminator": {"propertyName": str(name), "mapping": {**places}}} if not any(
            tag in ("true", "false") or str(tag).lstrip("-").isdigit() for tag in places
        ):
            choices = {tag: _core({"$ref": place}) for tag, place in places.items()}
            return {"type": "tagged-union", "discriminator": name, "choices": choices}
        case {"anyOf": [*branches]} | {"oneOf": [*branches]} | {"allOf": [_] as branches}:
            return _any_of([_core(branch) for branch in branches])
    return {"type": "any"}


def _any_of(members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a union of the members, or the only member. In errors, a member has a number, as names may be equal."""
    choices = [(member, f"[{number}]") for number, member in enumerate(members)]
    return members[0] if len(members) == 1 else {"type": "union", "choices": choices}


def _array(field: Mapping[str, Any]) -> dict[str, Any]:
    if parts := field.get("prefixItems"):
        items, least = [_core(part) for part in parts], field.get("minItems", 0)
        # The last items of a NamedTuple may be missing, because fields may have defaults.
        items[least:] = [{"type": "default", "schema": one, "default": None} for one in items[least:]]
        return {"type": "tuple", "items_schema": items}
    return {"type": "list", "strict": True, "items_schema": _core(field.get("items")), **_bounds(field)}


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    others = schema.get("additionalProperties")
    if "properties" not in schema and others is not False:
        keys = _core({"type": "string", **schema.get("propertyNames", {})})
        return {"type": "dict", "strict": True, "keys_schema": keys, "values_schema": _core(others), **_bounds(schema)}
    # If a schema requires one of several fields, make a union of models, each of which requires one of the fields.
    needed = [branch["required"] for branch in schema.get("anyOf", ()) if branch.keys() == {"required"}] or [[]]
    choices = [_model(schema, {*schema.get("required", ()), *names}) for names in needed]
    return _any_of(choices)


def _model(schema: Mapping[str, Any], required: Collection[str]) -> dict[str, Any]:
    fields = {
        name: {"schema": _core(one), "required": name in required} for name, one in schema.get("properties", {}).items()
    }
    others = schema.get("additionalProperties")
    extra = {"extra_behavior": "allow", "extras_schema": _core(others)} if others else {"extra_behavior": "forbid"}
    own = {name: {"type": "typed-dict-field", **one} for name, one in fields.items()}
    return {"type": "typed-dict", "strict": True, "fields": own, **extra}


def _bounds(field: Mapping[str, Any]) -> dict[str, Any]:
    bounds = {own: field[name] for name, own in _KEYWORDS.items() if name in field}
    if "pattern" in bounds:
        with suppress(re.error):  # Python's engine has look-ahead; pydantic's engine has classes such as \p{L}
            re.compile(bounds["pattern"])
            bounds["regex_engine"] = "python-re"
    return bounds
