"""Masks secrets in texts: passwords in URLs, values of environment variables (``${NAME}``), sensitive fields.

Sensitive fields are found by name or path, and passwords by the form of the address. Handlers and libraries may also
quote a secret value in other texts. In such a text, a value is masked only if it cannot be an ordinary word.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus


def camel_case(name: str) -> str:
    """Turn ``story_id`` into ``storyId``, as ``zeke_jobs.camel`` does in the database."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


#: Variables with such names contain secrets. Other values from the environment, such as a URL, must stay readable.
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH|PRIVATE", re.IGNORECASE)
MASK = "***"
_SHORTEST = 8  # characters
_LONGEST_WORD = 15
_WORD = re.compile(r"[A-Za-z_./-]*")  # matches a word, module or path, like zeke_jobs.secrets_in in SQL
# This pattern finds passwords in URLs within a text, but not in the placeholder user:password@host. No match contains
# a double quotation mark, so JSON stays valid.
_WITHIN = re.compile(
    r"""(://[^\s/:@'"\\]*:)(?!password@)[^\s/'"\\]*(?=@)"""
    r"""|(\b(?:ssl)?password\s*=\s*)(?:'[^'"]*'|[^\s&'"\\]+)"""
)
# This pattern finds the password in a text that is nothing but an address.
_WHOLE = re.compile(r"(://[^:/@]*:)[^/]*(?=@)|(\b(?:ssl)?password\s*=\s*)(?:'(?:\\.|[^'\\])*'|\S+)")

# This pattern finds where an error of Postgres quotes a part of a statement or a row, in plain text or within JSON.
_EXCERPT = re.compile(
    r"(^ *LINE \d+: |^DETAIL:  Failing row contains ).*$"
    r"|(\\nLINE \d+: |\\nDETAIL:  Failing row contains )(?:[^\\\"]|\\[^n])*",
    re.MULTILINE,
)


_known: dict[str, str] = {}
#: These are the sensitive fields of the payload in this context, and their values, which are masked in texts.
_hidden: ContextVar[tuple[frozenset[str], tuple[str, ...]]] = ContextVar("hidden", default=(frozenset(), ()))


def remember(name: str, value: str) -> None:
    """Remember the value of the environment variable ``name``. If the name suggests a secret, ``redact`` replaces the value."""
    if _SECRET_NAME.search(name) and _is_distinct(value):
        _known[value] = f"${{{name}}}"


def remember_address(text: str, password: str) -> None:
    """Remember a database's address, so that ``redact`` finds the password even if it has a slash or a space."""
    if password:
        _known[text] = _WHOLE.sub(_without_password, text)
        parts = {password, *password.split("@")}  # because of an @, parsers may show the rest of a password as a host
        _known.update(dict.fromkeys(filter(_is_distinct, parts), MASK))


@contextmanager
def hiding(payload: Mapping[str, Any], sensitive: Collection[str]) -> Iterator[None]:
    """During the block, ``redact`` and ``shown`` mask a payload's sensitive fields in this thread or asyncio task."""
    if not sensitive:
        yield
        return
    found = {str(leaf) for place, leaf in _leaves(payload) if is_sensitive(place, sensitive)}
    token = _hidden.set((frozenset(sensitive), tuple(filter(_is_distinct, found))))
    try:
        yield
    finally:
        _hidden.reset(token)


def redact(text: str) -> str:
    """Return the text with each secret replaced by ``***`` or by the name of its environment variable."""
    fields, values = _hidden.get()
    if fields and ("LINE " in text or "Failing row" in text):
        text = _EXCERPT.sub(_without_password, text)
    stand_ins = {**_known, **dict.fromkeys(values, MASK)}
    for value in sorted(stand_ins, key=len, reverse=True):
        for form in _forms(value):
            if form in text:
                text = text.replace(form, stand_ins[value])
    if "://" in text or "password" in text:
        text = _WITHIN.sub(_without_password, text)
    return text


def _without_password(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}{MASK}"


def redacted(value: Any) -> Any:
    """Return a JSON value whose texts, keys and numbers are redacted."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {redact(key) if isinstance(key, str) else key: redacted(item) for key, item in value.items()}
        case list() | tuple():
            return [redacted(item) for item in value]
        case int() | float() if str(value) in _hidden.get()[1]:
            return MASK
    return value


def masked(value: Any, sensitive: Collection[str], place: tuple[str, ...] = ()) -> Any:
    """Return a payload, or the part of a payload at the path ``place``, with its sensitive fields masked."""
    is_leaf = not isinstance(value, dict | list)
    fields = (field.split(".") for field in sensitive)
    if any(_meet(place, steps) and (is_leaf or len(place) >= len(steps)) for steps in fields):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item, sensitive, (*place, key)) for key, item in value.items()}
    return value if is_leaf else [masked(item, sensitive, place) for item in value]


def shown(name: str, value: Any) -> Any:
    """Return what a log shows for the payload's field ``name``. In a ``hiding`` block, a sensitive value is masked."""
    fields, _ = _hidden.get()
    if not is_sensitive((name,), fields):
        return value
    from pydantic_core import to_jsonable_python

    return masked(to_jsonable_python(value, by_alias=False, fallback=repr), fields, (name,))


def is_sensitive(place: Sequence[str | int], fields: Collection[str]) -> bool:
    """Return whether the value at a path in a payload is one of the sensitive ``fields``, is inside one, or contains one."""
    steps = [step for step in place if isinstance(step, str)]
    return any(_meet(steps, field.split(".")) for field in fields)


def _meet(place: Sequence[str], field: Sequence[str]) -> bool:
    return all(given in (name, camel_case(name)) for given, name in zip(place, field, strict=False))


def _leaves(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the texts and numbers of a payload, each with its path. Items of a list have the path of the list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, place)
    elif value is not None and not isinstance(value, bool):
        yield place, value


def _is_distinct(value: str) -> bool:
    """Return whether to search texts for a secret value: the value must not look like an ordinary word, module or path."""
    return len(value) > _LONGEST_WORD or (len(value) >= _SHORTEST and not _WORD.fullmatch(value))


@lru_cache(maxsize=256)
def _forms(value: str) -> tuple[str, ...]:
    """Return the forms that a secret may have in a text: unchanged, or escaped once or twice for JSON, Python or a URL."""
    said = (value, json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(value)[1:-1], repr(value)[1:-1])
    again = [form.replace("\\", "\\\\") for form in said]
    within = (form.replace("'", quoted) for form in (*said, *again) for quoted in ("''", "\\'", "'"))
    return tuple(dict.fromkeys((*said, quote(value, safe=""), quote_plus(value), *within)))
