"""Builds the schemas of models in handlers' code, and names the field that has none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from zeke_jobs.config.entries import EntryError
from zeke_jobs.payload.json_text import UnfitForJson, encode

_AT_RUN_TIME = "import it outside if TYPE_CHECKING:, because pydantic needs it at run time"


def complete(model: type[BaseModel]) -> None:
    """See that all types of a model's fields exist, so that it can check values.

    Raises:
        EntryError: one does not; the message names field and model.
    """
    if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False, _types_namespace={}):
        raise _fault(model)


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a payload model, in snake_case, as the catalogue keeps it.

    Raises:
        EntryError: it has none that Postgres can store; the message names field and model.
    """
    complete(model)
    try:
        schema = model.model_json_schema(by_alias=False)
    except Exception as error:  # pydantic's or a model's own code
        raise _fault(model, error) from error
    try:
        encode(schema)
    except UnfitForJson as error:
        fault = f"expected a JSON Schema of {_named(model)} that Postgres can store, got one with {error}"
        raise EntryError(fault, "such a value is mostly the default of a field") from error
    return schema


def _fault(model: type[BaseModel], error: Exception | None = None) -> EntryError:
    for owner in _models(model, set()):
        fields = owner.__pydantic_fields__
        if missing := _missing_name(owner):
            its = next(
                (name for name, field in fields.items() if re.search(rf"\b{missing}\b", str(field.annotation))), ""
            )
            got = f"{missing}, which its module does not import then"
            fault = f"expected {_named(owner, its)} to have a type that exists at run time, got {got}"
            return EntryError(fault, _AT_RUN_TIME)
        for name, field in fields.items() if error else ():
            if not _has_schema(field):
                got = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
                fault = f"expected {_named(owner, name)} to have a type with a JSON Schema, got {got}"
                return EntryError(fault, "a payload is JSON: use types such as str, int, list or another model")
    why = f": {type(error).__name__}: {' '.join(str(error).split())}" if error else ""
    return EntryError(f"expected a JSON Schema of {_named(model)}, got none{why}", "")


def _has_schema(field: FieldInfo) -> bool:
    try:
        alone: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        TypeAdapter(alone).json_schema(by_alias=False)
    except Exception:  # noqa: BLE001 (the caller has the first error, which says why)
        return False
    return True


def _missing_name(model: type[BaseModel]) -> str:
    try:
        model.model_rebuild(_types_namespace={})
    except PydanticUndefinedAnnotation as error:
        return str(error.name)
    return ""


def _models(annotation: Any, seen: set[type]) -> Iterator[type[BaseModel]]:
    """The models in an annotation, each after those inside it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
        seen.add(annotation)
        for field in annotation.__pydantic_fields__.values():
            yield from _models(field.annotation, seen)
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument, seen)


def _named(model: type[BaseModel], field: str = "") -> str:
    """``field when of handlers.Ping``."""
    return (f"field {field} of " if field else "") + f"{model.__module__}.{model.__qualname__}"
