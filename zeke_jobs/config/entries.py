"""The single values of jobs.yaml: names, paths to code, rates, zones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, WithJsonSchema

from zeke_jobs.config.models import Rate
from zeke_jobs.core.durations import UNITS
from zeke_jobs.core.quoting import describe, nearest, quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic.config import JsonDict

RESERVED = frozenset({"broker"})
"""Task ids that would hide another attribute of ``zeke_jobs.actors``."""

LONGEST_NAME = 100

_TASK = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
_ALIAS = r"[A-Za-z][A-Za-z0-9_.-]*"
_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_FIELD = rf"{_NAME}(?:\.{_NAME})*"
_PACKAGE = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_PATH = rf"{_PACKAGE}:[A-Za-z_][A-Za-z0-9_]*"
_RATE = r"([0-9]{1,9})\s*/\s*(s|m|h|d)"
_NOT_PORTABLE = {"localtime", "posixrules", "Factory"}


class EntryError(ValueError):
    """A value that is not accepted. ``args`` is the message and the help."""


def parse_rate(text: str) -> Rate:
    """Read ``60/m``: a count, a slash and one of s, m, h, d.

    Raises:
        EntryError: it is not one.
    """
    match = re.fullmatch(_RATE, text, re.ASCII)
    if match is None or int(match[1]) == 0:
        raise EntryError(
            f"expected a rate such as 10/s, 60/m or 1000/d, got {quote(text)}",
            "a count of at least 1, a slash, and s, m, h or d",
        )
    return Rate(count=int(match[1]), period=UNITS[match[2]])


def check_zone(name: str) -> str:
    """The name of a time zone that this machine knows.

    Raises:
        EntryError: it knows none of this name.
    """
    if name in _NOT_PORTABLE or not _exists(name):
        raise EntryError(f"expected the name of a time zone, got {quote(name)}", _near_zones(name))
    return name


def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, not a plain name, a folder
        return False
    return True


def rate_is_text(value: Any) -> Any:
    """A rate that is written as a number lacks its unit."""
    if isinstance(value, str):
        return value
    raise EntryError(f"expected a rate such as 10/s, 60/m or 1000/d, got {describe(value)}", "")


def as_mapping(key: str, short: type[int | str], expected: str) -> Callable[[Any], Any]:
    """A short form: a bare value of type ``short`` stands for a mapping with the one ``key``."""

    def read(value: Any) -> Any:
        if isinstance(value, short) and not isinstance(value, bool):
            return {key: value}
        if isinstance(value, dict | BaseModel):
            return value
        raise EntryError(f"expected {expected} or a mapping, got {describe(value)}", "")

    return read


def as_list_of_fields(value: Any) -> Any:
    """The short form of ``unique``: a list of payload fields."""
    if isinstance(value, list):
        return {"fields": value}
    if isinstance(value, dict | BaseModel):
        return value
    raise EntryError(f"expected a list of payload fields or a mapping, got {describe(value)}", "")


def _near_zones(name: str) -> str:
    zones = sorted(available_timezones() - _NOT_PORTABLE)
    city = name.rsplit("/", 1)[-1].replace(" ", "_").lower()
    same_city = [zone for zone in zones if zone.rsplit("/", 1)[-1].lower() == city]
    if same_city:
        return f"did you mean {quote(same_city[0])}?"
    near = nearest(name.replace(" ", "_"), zones, likeness=0.75)
    return f"did you mean {quote(near)}?" if near else "names are as in Europe/Paris; UTC is always known"


def _check(text: str, pattern: str, expected: str, mend: Callable[[str], str]) -> str:
    whole = re.compile(pattern, re.ASCII)
    if whole.fullmatch(text) and len(text) <= LONGEST_NAME:
        return text
    mended = mend(text)
    help_ = f"did you mean {quote(mended)}?" if whole.fullmatch(mended) and mended != text else ""
    raise EntryError(f"expected {expected}, got {quote(text)}", help_)


def _dashed(text: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _one_word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")


def _dotted(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", ".", text).strip(".")


def _colon(text: str) -> str:
    module, _, function = text.replace(":", ".").rpartition(".")
    return f"{module}:{function}"


def check_task_id(text: str) -> str:
    """The id of a task.

    Raises:
        EntryError: it is not lower-case words joined by ``-``, or is kept for something else.
    """
    if text in RESERVED:
        raise EntryError(
            f"expected the id of a task, got {quote(text)}, which zeke_jobs.actors keeps for itself",
            "choose another id, and give this one as an alias where jobs are sent by it",
        )
    return _check(text, _TASK, "lower-case words joined by '-' as the id of a task", _dashed)


def check_name(text: str) -> str:
    """The name of a queue, limit, service or field.

    Raises:
        EntryError: it has other characters than letters, digits, ``_`` and ``-``.
    """
    return _check(text, _NAME, "letters, digits, '_' and '-' as a name", _one_word)


def _check_field(text: str) -> str:
    return _check(text, _FIELD, "a field, or a path such as user.email", _dotted)


def _check_alias(text: str) -> str:
    return _check(text, _ALIAS, "letters, digits and '-', '_' or '.' as an alias", _one_word)


def _check_package(text: str) -> str:
    return _check(text, _PACKAGE, "a Python package such as actors.store", _dotted)


def _check_path(text: str) -> str:
    return _check(text, _PATH, "module:name", _colon)


def _after(check: Callable[[str], Any]) -> AfterValidator:
    def read(text: str) -> str:
        check(text)
        return text

    return AfterValidator(read)


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


AliasText = Annotated[str, _after(_check_alias), _schema(_ALIAS)]
FieldPath = Annotated[str, _after(_check_field), _schema(_FIELD)]
Name = Annotated[str, _after(check_name), _schema(_NAME)]
PackageText = Annotated[str, _after(_check_package), _schema(_PACKAGE)]
PathText = Annotated[str, _after(_check_path), _schema(_PATH)]
RateText = Annotated[str, BeforeValidator(rate_is_text), _after(parse_rate), _schema(_RATE)]
ZoneName = Annotated[str, _after(check_zone)]

TASK_KEYS: JsonDict = {"propertyNames": {"pattern": f"^{_TASK}$"}}
NAME_KEYS: JsonDict = {"propertyNames": {"pattern": f"^{_NAME}$"}}
"""What a JSON Schema says of the keys of a mapping of tasks, and of services or limits."""
