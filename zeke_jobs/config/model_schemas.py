"""Builds the schemas of models in handlers' code, and names the field that has none."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation

from zeke_jobs.config.entries import EntryError
from zeke_jobs.payload.json_text import UnfitForJson, encode


def complete(model: type[BaseModel]) -> None:
    """See that all types of a model's fields exist, so that it can check values.

    Raises EntryError if one is missing; the message names field and model.
    """
    try:
        model.model_rebuild(_types_namespace={})
    except PydanticUndefinedAnnotation as error:
        uses = re.compile(rf"\b{error.name}\b")
        fields = model.__pydantic_fields__.items()
        its = next((name for name, field in fields if uses.search(str(field.annotation))), "")
        fault = f"expected {_named(model, its)} to have a type that exists at run time, got {error.name}"
        help_ = "import it outside if TYPE_CHECKING:, because pydantic needs it at run time"
        raise EntryError(f"{fault}, which its module does not import then", help_) from error


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a payload model, in snake_case, as the catalogue keeps it.

    Raises EntryError if it has none that Postgres can store; the message names field and model.
    """
    complete(model)
    try:
        schema = model.model_json_schema(by_alias=False)
    except Exception as error:  # pydantic's or a model's own code
        raise _without_schema(model, error) from error
    try:
        encode(schema)
    except UnfitForJson as error:
        fault = f"expected a JSON Schema of {_named(model)} that Postgres can store, got one with {error}"
        raise EntryError(fault, "such a value is mostly the default of a field") from error
    return schema


def _without_schema(model: type[BaseModel], error: Exception) -> EntryError:
    for name, field in model.__pydantic_fields__.items():
        try:
            alone: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            TypeAdapter(alone).json_schema(by_alias=False)
        except Exception:  # noqa: BLE001 (the caller has the first error, which says why)
            got = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
            fault = f"expected {_named(model, name)} to have a type with a JSON Schema, got {got}"
            return EntryError(fault, "a payload is JSON: use types such as str, int, list or another model")
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return EntryError(f"expected a JSON Schema of {_named(model)}, got none: {why}", "")


def _named(model: type[BaseModel], field: str = "") -> str:
    """``field when of handlers.Ping``."""
    return (f"field {field} of " if field else "") + f"{model.__module__}.{model.__qualname__}"
