"""Turns pydantic's errors into faults, each with its place in jobs.yaml, a message "expected X, got Y", and help."""

import re
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from typing_extensions import TypeAliasType

from zeke_jobs.config.document import Document, walk
from zeke_jobs.config.entries import EntryError, Keys
from zeke_jobs.config.imports import Secret
from zeke_jobs.core.quoting import describe, nearest, quote, suggest
from zeke_jobs.payload.faults import KEY, Path, expected, located


def names(field_name: str, field: FieldInfo) -> list[str]:
    """Return all keys that set the field, the preferred key first."""
    alias = field.validation_alias
    aliases = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return list(dict.fromkeys(one for one in (field.alias, *aliases, field_name) if isinstance(one, str)))


def accepted_keys(model: type[BaseModel]) -> list[str]:
    """Return a model's keys as people write them: the names of fields, or aliases if the model accepts only these."""
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    return [name if by_name else names(name, field)[0] for name, field in model.model_fields.items()]


def all_keys(model: type[BaseModel]) -> set[str]:
    """Return the names and aliases of all fields of the model."""
    return {key for name, field in model.model_fields.items() for key in names(name, field)}


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """Return the field of the model at the end of ``path``, or None."""
    owner = model_at(model, path[:-1])
    return _field(owner, path[-1]) if owner is not None and path else None


def model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model of the mapping at ``path``, or None. Skips steps that only name a union's member."""
    return next(iter(_models_at(model, path)), None)


def only_model_at(model: type[BaseModel], path: Sequence[str | int], *, strict: bool = False) -> type[BaseModel] | None:
    """Return the same as ``model_at``, or None if a union has several models. If ``strict``, no step is skipped."""
    found = _models_at(model, path, strict=strict)
    return found[0] if len(found) == 1 else None


def _models_at(model: type[BaseModel], path: Sequence[str | int], *, strict: bool = False) -> list[type[BaseModel]]:
    candidates: list[Any] = [model]
    for step in path:
        deeper = [found for candidate in candidates for found in _step(candidate, step)]
        named = [one for one in candidates if getattr(one, "__name__", "") == step]
        candidates = deeper if deeper or strict else named or candidates
    return [one for one in candidates if _is_model(one)]


def _step(annotation: Any, step: str | int) -> Iterator[Any]:
    arguments, origin = get_args(annotation), get_origin(annotation)
    if _is_model(annotation):
        field = _field(annotation, step)
        yield from _members(field.annotation) if field is not None else ()
    elif not isinstance(origin, type) or not arguments:
        return
    elif issubclass(origin, dict) and isinstance(step, str):
        yield from _members(arguments[1])
    elif issubclass(origin, list | tuple | set) and isinstance(step, int):
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


@dataclass(frozen=True)
class Subject:
    """Describes the validated mapping: its model, its path in the file, and its name in messages."""

    model: type[BaseModel]
    base: Path
    name: str
    secrets: Sequence[Secret] = ()  # values in the mapping that must not be shown; their paths start at the mapping
    missing: str = ""  # the help for a missing key
    spread: str = ""  # a field whose inner keys may also be in the mapping around the field


def note(error: ValidationError, value: Any, subject: Subject, document: Document) -> None:
    """Report a fault for each value with errors, at the place of the value or of its nearest parent in the text."""
    for path, errors in located(error, value, subject.spread).items():
        place, kind = (*subject.base, *path), errors[0]["type"]
        text, help_ = _say(path, errors, subject)
        if kind == "missing":
            place, help_ = (*place[:-1], KEY, path[-1]), help_ or subject.missing
        elif kind == "extra_forbidden":
            place = (*place, KEY)
        document.refuse(place, text, help_)


def note_missing(document: Document, whole: type[Keys]) -> None:
    """Report each key that a mapping of the file lacks and the mapping's model requires."""
    for path, mapping in walk(document.value):
        owner = only_model_at(whole, path, strict=True)
        if owner is None or not issubclass(owner, Keys) or not isinstance(mapping, dict):
            continue
        # Where other keys are forbidden, a misspelt key is reported once: as an unknown key, with the key that was meant.
        unknown = mapping.keys() - all_keys(owner) if owner.model_config["extra"] == "forbid" else ()
        meant = {nearest(str(key), accepted_keys(owner)) for key in unknown}
        for name in owner.required:
            if name not in mapping and name not in meant:
                is_named = path != () and isinstance(path[-1], str) and owner.called.startswith("a ")
                called = f"{owner.called[2:]} {path[-1]}" if is_named else owner.called
                fault = f"expected the key {quote(name)} in {called}, got none"
                document.refuse((*path, KEY, name), fault, _teach(owner.model_fields[name]))


def _say(path: Path, errors: list[ErrorDetails], subject: Subject) -> tuple[str, str]:
    error, loc = errors[0], errors[0]["loc"]
    owner = model_at(subject.model, loc[:-1])
    called = getattr(owner, "called", subject.name)
    if error["type"] == "extra_forbidden":
        return unknown_key(str(loc[-1]), called, accepted_keys(owner or subject.model))
    field = field_at(subject.model, loc)
    if error["type"] == "missing":
        # pydantic's error names the key by its alias.
        spelled = zip(accepted_keys(owner), owner.model_fields.items(), strict=True) if owner else ()
        key = next((own for own, (name, one) in spelled if loc[-1] in names(name, one)), str(loc[-1]))
        return f"expected the key {quote(key)} in {called}, got none", _teach(field)
    if field is None and len(loc) > len(path):  # in a union the last step is the name of its member
        field = field_at(subject.model, loc[:-1])
    secrets = [secret for secret in subject.secrets if all(map(eq, secret.path, path))]  # inside the value or around it
    got = f"the value of ${{{secrets[0].name}}}, which is not shown" if secrets else None
    text, help_ = message(error, got=got)
    if any(secret.leaks_into(text) for secret in secrets):
        return f"expected what {subject.model.__name__} accepts, got {got}", ""
    if len(errors) > 1 and error["type"] != "value_error":
        wanted = dict.fromkeys(map(expected, errors))
        text = f"expected {' or '.join(wanted)}, got {text.rpartition(', got ')[2]}"
    return text, help_ or _teach(field)


def _teach(field: FieldInfo | None) -> str:
    examples: list[Any] = (field and field.examples) or []
    if examples and isinstance(examples[0], str):
        return f"for example {examples[0]}"
    return (field and field.description) or ""


def message(error: ErrorDetails, *, got: str | None = None) -> tuple[str, str]:
    """Return an error's message and its help, which may be empty. ``got`` is shown in place of a secret value."""
    shown, kind = got or describe(error["input"]), error["type"]
    if kind in {"value_error", "assertion_error"}:
        return _raised(error, shown, is_secret=got is not None)
    help_ = "" if got else _help(kind, error)
    return f"expected {expected(error)}, got {shown}", help_


def _raised(error: ErrorDetails, shown: str, *, is_secret: bool) -> tuple[str, str]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, EntryError):
        return cause.args[0], cause.args[1]
    text = str(cause) if str(cause or "") else re.sub(r"^\w+ (error|failed), ", "", error["msg"])
    text = " ".join(text.split())
    if not text.startswith("expected "):
        return f"expected a value that is accepted, got {shown}: {text}", ""
    value = error["input"]
    if is_secret or not text.startswith("expected a duration") or not isinstance(value, int | float):
        return text, ""
    return text, f"give it a unit: {value}s, {value}m or {value}h" if value else "write 0s"


def _help(kind: str, error: ErrorDetails) -> str:
    is_text = isinstance(value := error["input"], str)
    if is_text and kind in {"literal_error", "enum"}:
        near = suggest(value, re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected"))))
        return near if near.startswith("did you mean") else ""
    looks_like = {"int_type": r"-?\d+", "float_type": r"-?\d+(\.\d+)?", "bool_type": "true|false"}.get(kind)
    if is_text and looks_like and re.fullmatch(looks_like, value):
        return f"write {value}, without quotes"
    if kind in {"list_type", "tuple_type"} and (is_text or value is None):
        return f"write [{value}]" if is_text else "write [] for none"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'write "{describe(value)}" if it is text'
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"write {value:.0f}, in digits alone"
    return ""


def unknown_key(key: str, of: str, accepted: list[str]) -> tuple[str, str]:
    """Return the message and help for a key that does not exist."""
    return f"expected a key of {of}, got {quote(key)}", suggest(key, accepted, what="there are")
