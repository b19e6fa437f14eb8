"""Finds the pydantic model and field for a path."""

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType


def names(field_name: str, field: FieldInfo) -> list[str]:
    """All keys of the field; the preferred one first."""
    alias = field.validation_alias
    aliases = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return list(dict.fromkeys(one for one in (field.alias, *aliases, field_name) if isinstance(one, str)))


def accepted_keys(model: type[BaseModel]) -> list[str]:
    """The keys of a model as people write them: Python's names, unless only an alias is accepted."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    return [name if by_name else names(name, field)[0] for name, field in model.model_fields.items()]


def all_keys(model: type[BaseModel]) -> set[str]:
    """All keys of all fields of the model."""
    return {key for name, field in model.model_fields.items() for key in names(name, field)}


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """The field at the end of ``path``, or None if there is none."""
    owner = model_at(model, path[:-1])
    if owner is None or not path:
        return None
    return _field(owner, path[-1])


def model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """The model of the mapping at ``path``. Steps that name a member of a union are skipped."""
    return next(iter(_models_at(model, path)), None)


def only_model_at(model: type[BaseModel], path: Sequence[str | int], *, strict: bool = False) -> type[BaseModel] | None:
    """As ``model_at``, but None if a union leaves a choice; with ``strict``, also if a step has no field."""
    found = _models_at(model, path, strict=strict)
    return found[0] if len(found) == 1 else None


def _models_at(model: type[BaseModel], path: Sequence[str | int], *, strict: bool = False) -> list[type[BaseModel]]:
    candidates: list[Any] = [model]
    for step in path:
        deeper = [found for candidate in candidates for found in _step(candidate, step)]
        if strict:
            candidates = deeper
            continue
        candidates = deeper or [one for one in candidates if getattr(one, "__name__", "") == step] or candidates
    return [one for one in candidates if _is_model(one)]


def _step(annotation: Any, step: str | int) -> Iterator[Any]:
    if _is_model(annotation):
        field = _field(annotation, step)
        if field is not None:
            yield from _members(field.annotation)
        return
    arguments = get_args(annotation)
    if not arguments:
        return
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, dict) and isinstance(step, str):
        yield from _members(arguments[1])
    elif isinstance(origin, type) and issubclass(origin, list | tuple | set) and isinstance(step, int):
        yield from _members(arguments[0])


def _members(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, TypeAliasType):
        yield from _members(annotation.__value__)
    elif get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    return next((field for name, field in model.model_fields.items() if key in names(name, field)), None)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
