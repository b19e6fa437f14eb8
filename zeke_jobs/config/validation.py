"""From a pydantic error to faults at the places of the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel, to_snake

from zeke_jobs.config.fields import accepted_keys, field_at, model_at, names
from zeke_jobs.config.wording import expected, message, unknown_key
from zeke_jobs.core.quoting import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from zeke_jobs.config.places import Document, Path
    from zeke_jobs.config.substitution import Secret


@dataclass(frozen=True)
class Subject:
    """What was validated: a model, the path of its mapping in the file, and how people call that mapping.

    Attributes:
        secrets: Values in it that must not be shown; their paths start at the mapping.
    """

    model: type[BaseModel]
    base: Path
    name: str
    secrets: Sequence[Secret] = ()

    def name_of(self, model: type[BaseModel] | None) -> str:
        """How to call the mapping that is read by ``model``."""
        return getattr(model, "called", self.name)


@dataclass(frozen=True)
class _Located:
    error: ErrorDetails
    path: Path
    in_union: bool


def note(error: ValidationError, subject: Subject, document: Document) -> None:
    """Report a fault for each error, at its place or the nearest one around it."""
    located = [_locate(one, subject.base, document) for one in error.errors(include_url=False)]
    for one in _without_lesser_members(located):
        text, help_ = _say(one, [other for other in located if _same_choice(one, other)], subject)
        if _is_missing(one):
            document.refuse_key(one.path, text, help_, missing=str(one.error["loc"][-1]))
        elif one.error["type"] == "extra_forbidden" or one.error["loc"][-1:] == ("[key]",):
            document.refuse_key(one.path, text, help_)
        else:
            document.refuse(one.path, text, help_)


def _locate(error: ErrorDetails, base: Path, document: Document) -> _Located:
    place, path = document.find(base)
    in_union = False
    for at, step in enumerate(error["loc"]):
        known = next((key for key in _spellings(step) if key in place.inside), None)
        if known is not None:
            path, place = (*path, known), place.inside[known]
        elif at < len(error["loc"]) - 1 or error["type"] not in {"missing", "extra_forbidden"}:
            in_union = in_union or (isinstance(step, str) and step != "[key]")
    return _Located(error, path, in_union)


def _spellings(step: str | int) -> tuple[str | int, ...]:
    return (step, to_snake(step), to_camel(step)) if isinstance(step, str) else (step,)


def _is_missing(one: _Located) -> bool:
    return one.error["type"] == "missing"


def _without_lesser_members(located: list[_Located]) -> Iterable[_Located]:
    """Without the members of a union that the author plainly did not mean: another one fits further down."""
    for one in located:
        deeper = (
            other.in_union and len(other.path) > len(one.path) and other.path[: len(one.path)] == one.path
            for other in located
        )
        if not (one.in_union and any(deeper)):
            yield one


def _same_choice(one: _Located, other: _Located) -> bool:
    return one.in_union and other.in_union and one.path == other.path


def _say(one: _Located, choice: list[_Located], subject: Subject) -> tuple[str, str]:
    error = one.error
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        owner = model_at(subject.model, loc[:-1])
        return unknown_key(str(loc[-1]), subject.name_of(owner), accepted_keys(owner or subject.model))
    field = field_at(subject.model, loc)
    if error["type"] == "missing":
        owner = model_at(subject.model, loc[:-1])
        key = _preferred(owner, str(loc[-1]))
        return f"expected the key {quote(key)} in {subject.name_of(owner)}, got none", _teach(field)
    secrets = [secret for secret in subject.secrets if _touch(secret, one.path[len(subject.base) :])]
    got = f"the value of ${{{secrets[0].name}}}, which is not shown" if secrets else None
    text, help_ = message(error, got=got)
    if any(secret.leaks_into(text) for secret in secrets):
        return f"expected what {subject.model.__name__} accepts, got {got}", ""
    if len(choice) > 1 and error["type"] != "value_error":
        wanted = dict.fromkeys(expected(other.error) for other in choice)
        text = f"expected {' or '.join(wanted)}, got {text.rpartition(', got ')[2]}"
    return text, help_ or _teach(field)


def _preferred(model: type[BaseModel] | None, key: str) -> str:
    """The key as ``accepted_keys`` spells it; pydantic names the alias."""
    if model is None:
        return key
    for own, (name, field) in zip(accepted_keys(model), model.model_fields.items(), strict=True):
        if key in names(name, field):
            return own
    return key


def _touch(secret: Secret, path: Path) -> bool:
    shorter = min(len(secret.path), len(path))
    return secret.path[:shorter] == path[:shorter]


def _teach(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    examples: list[Any] = field.examples or []
    if examples and isinstance(examples[0], str):
        return f"for example {examples[0]}"
    return field.description or ""
