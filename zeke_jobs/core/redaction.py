"""Removes secrets from logs, errors and messages. Exception texts of other libraries may contain them."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from zeke_jobs.core.case import camel_case

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

#: Variables with such names hold secrets. Other values from the environment, such as a URL, must stay readable.
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|PRIVATE", re.IGNORECASE)
_SHORTEST = 6  # characters; a shorter secret may be a common word, and removing it everywhere would reveal it
_SHORTEST_FIELD = 4
_MASK = "***"

_known: dict[str, str] = {}
_hidden: ContextVar[tuple[str, ...]] = ContextVar("hidden", default=())


def remember(name: str, value: str) -> None:
    """Note a value of the variable ``name``. If the name marks a secret, ``redact`` removes the value from now on."""
    if _SECRET_NAME.search(name) and len(value) >= _SHORTEST:
        _known[value] = f"${{{name}}}"


def remember_password(password: str) -> None:
    """Note a password for ``redact``, also in its URI form, and its parts, because an @ in it misleads parsers."""
    for form in (password, quote(password, safe="")):
        for part in {form, *form.split("@")}:
            if len(part) >= _SHORTEST_FIELD:
                _known[part] = _MASK


@contextmanager
def hiding(payload: Mapping[str, Any], sensitive: Collection[str]) -> Iterator[None]:
    """Remove the values of a payload's sensitive fields from texts made in this context (a thread, an asyncio task).

    For texts made elsewhere, the database masks the same values in its views (``zeke_jobs.unquoted``).
    """
    if not sensitive:
        yield
        return
    found = {text for name in sensitive for text in _texts(payload, name.split("."))}
    values = tuple(text for text in found if len(text) >= _SHORTEST_FIELD)
    token = _hidden.set(values)
    try:
        yield
    finally:
        _hidden.reset(token)


def redact(text: str) -> str:
    """The text with each secret replaced by a mask or by its variable's name."""
    hidden = _hidden.get()
    if not _known and not hidden:
        return text
    stand_ins = {**_known, **dict.fromkeys(hidden, _MASK)}
    for value in sorted(stand_ins, key=len, reverse=True):
        for form in _forms(value):
            if form in text:
                text = text.replace(form, stand_ins[value])
    return text


@lru_cache(maxsize=256)
def _forms(value: str) -> tuple[str, ...]:
    """The forms in which texts quote a secret: unchanged, in JSON, in Python, in an address."""
    said = (value, json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(value)[1:-1], repr(value)[1:-1])
    return tuple(dict.fromkeys((*said, quote(value, safe=""), quote_plus(value))))


def masked(payload: Mapping[str, Any], sensitive: Collection[str]) -> dict[str, Any]:
    """The payload with its sensitive fields masked."""
    return {key: _masked(value, (key,), sensitive) for key, value in payload.items()} if sensitive else dict(payload)


def _masked(value: Any, place: tuple[str, ...], sensitive: Collection[str]) -> Any:
    is_leaf = not isinstance(value, dict | list)
    for steps in (field.split(".") for field in sensitive):
        leads_there = all(a in (b, camel_case(b)) for a, b in zip(place, steps, strict=False))
        if leads_there and (is_leaf or len(place) >= len(steps)):
            return _MASK
    if isinstance(value, dict):
        return {key: _masked(item, (*place, key), sensitive) for key, item in value.items()}
    return value if is_leaf else [_masked(item, place, sensitive) for item in value]


def is_sensitive(place: Sequence[str | int], fields: Collection[str]) -> bool:
    """Whether the value at a place in a payload is one of these fields, lies inside one, or contains one."""
    steps = [step for step in place if isinstance(step, str)]
    return any(all(a == b for a, b in zip(steps, field.split("."), strict=False)) for field in fields)


def _texts(value: Any, path: Sequence[str] = ()) -> Iterator[str]:
    """The texts at a path, through lists; if the path ends early, the texts there."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not path or key in (path[0], camel_case(path[0])):
                yield from _texts(item, path[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
