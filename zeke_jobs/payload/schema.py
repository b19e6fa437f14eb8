"""Converts a payload's keys to snake_case, and checks the payload against its task's JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.core.redaction import camel_case
from zeke_jobs.payload.faults import faults, validator
from zeke_jobs.payload.json_text import Fault, join

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

_DEEPEST = 16  # maximum number of references and branches on the way to one place of a schema


@dataclass
class _Shape:
    """Holds the fields and items that one part of a schema allows, after following ``$ref``, ``anyOf`` and so on."""

    fields: dict[str, Any]
    items: Any = None
    others: Any = None
    is_model: bool = False

    @cached_property
    def camel(self) -> dict[str, str]:
        """Map the camelCase name of each field to its snake_case name."""
        return {camel_case(name): name for name in self.fields}


class PayloadSchema:
    """Holds the JSON Schema of a task's payloads, with fields in snake_case. Without it, any object is accepted."""

    def __init__(self, schema: dict[str, Any] | None, sensitive: frozenset[str] = frozenset()) -> None:
        self.schema = schema
        self.sensitive = sensitive
        self._shapes: dict[int, _Shape] = {}

    def check(self, payload: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """Return the payload with its keys in snake_case, and all its faults.

        The keys of free-form objects stay unchanged. Unknown fields of a model are faults even if the model itself ignores them.
        """
        if self.schema is None:
            return payload, []
        from pydantic_core import ValidationError

        found: list[Fault] = []
        renamed = self._rename(payload, self.schema, "", found)
        try:
            self._validator.validate_python(renamed)
        except ValidationError as error:
            found.extend(faults(error, renamed, self.sensitive))
        return renamed, found

    def fits(self, text: str) -> bool:
        """Return whether a payload (compact JSON) fits the schema and has no key to rename. If not, call ``check``."""
        # Look for camelCase keys first, because the validator may accept a camelCase key as a key of a free-form object.
        if self.schema is None or self._camel.search(text):
            return False
        try:
            self._validator.validate_json(text)
        except ValueError:  # pydantic's errors are ValueErrors too
            return False
        return True

    def field(self, name: str) -> str:
        """Return the snake_case name of a field named in snake or camel case. An unknown name is returned unchanged."""
        shape = self._shape(self.schema or {})
        return name if name in shape.fields else shape.camel.get(name, name)

    def lost_step(self, path: Sequence[str]) -> tuple[str, list[str]] | None:
        """Return the first field of ``path`` that the schema forbids, and the allowed ones; None if all are allowed."""
        schema: Any = self.schema
        for step in path:
            shape = self._shape(schema)
            while isinstance(shape.items, dict):
                shape = self._shape(schema := shape.items)
            if step in shape.fields or (isinstance(shape.others, dict) and not shape.is_model):
                schema = shape.fields.get(step, shape.others)
            elif shape.is_model or (shape.others is None and any(map(_types, self._branches(schema)))):
                return step, list(shape.fields)
            else:
                return None
        return None

    def takes_text(self, name: str) -> bool:
        """Return whether a field may be a string, according to its types and enum values in the schema."""
        schema = self._shape(self.schema or {}).fields.get(self.field(name))
        return any("string" in _types(branch) for branch in self._branches(schema))

    @cached_property
    def _camel(self) -> re.Pattern[str]:
        """Return a pattern that finds the camelCase keys, which must be renamed, in compact JSON text."""
        names = re.findall(r'"([^"]+_[^"]*)":', json.dumps(self.schema, ensure_ascii=False))
        fields = {camel_case(name) for name in names}
        return re.compile("|".join(re.escape(f'"{name}":') for name in fields) or "(?!)")

    @cached_property
    def _validator(self) -> SchemaValidator:
        return validator(self.schema or {})

    def _rename(self, value: Any, schema: Any, path: str, faults: list[Fault]) -> Any:
        if not isinstance(value, dict | list) or not isinstance(schema, dict):
            return value
        shape = self._shape(schema)
        if isinstance(value, list):
            if shape.items is None:
                return value
            return [self._rename(item, shape.items, join(path, at), faults) for at, item in enumerate(value)]
        renamed: dict[str, Any] = {}
        for key, item in value.items():
            name = key if key in shape.fields else shape.camel.get(key)
            if name is None:
                if shape.is_model and not shape.others:
                    known = suggest(key, shape.fields, what="fields")
                    faults.append((join(path, key), f"expected a field of the payload, got {quote(key)}; {known}"))
                    continue
                name = key
            place = join(path, name)
            if name in renamed:
                faults.append((place, f"expected it once, got it as {name} and as {camel_case(name)}"))
            renamed[name] = self._rename(item, shape.fields.get(name, shape.others), place, faults)
        return renamed

    def _shape(self, schema: dict[str, Any]) -> _Shape:
        # ``id()`` identifies a part of the schema, because self.schema keeps all its parts alive.
        shape = self._shapes.get(id(schema))
        if shape is None:
            shape = self._shapes[id(schema)] = _Shape({})
            for part in self._branches(schema):
                shape.fields.update(part.get("properties", {}))
                shape.is_model |= "properties" in part or part.get("additionalProperties") is False
                shape.items = part.get("items", shape.items)
                shape.others = part.get("additionalProperties", shape.others)
        return shape

    def _branches(self, schema: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the schemas that a schema names by ``$ref``, ``anyOf``, ``oneOf`` or ``allOf``. The schema itself comes last."""
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return
        parts = [part for keyword in ("anyOf", "oneOf", "allOf") for part in schema.get(keyword, ())]
        if (reference := schema.get("$ref", "")).startswith("#/"):
            target = reduce(lambda found, step: found.get(step, {}), reference[2:].split("/"), self.schema or {})
            parts.insert(0, target)
        for part in parts:
            yield from self._branches(part, depth + 1)
        yield schema


def _types(schema: dict[str, Any]) -> set[str]:
    types = schema.get("type", ())
    choices = {"string" for choice in schema.get("enum", ()) if isinstance(choice, str)}
    return {types, *choices} if isinstance(types, str) else {*types, *choices}
