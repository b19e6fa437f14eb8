"""The single values of jobs.yaml: names, paths to code, rates, zones, numbers."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    WithJsonSchema,
    model_serializer,
)
from pydantic.config import JsonDict
from pydantic_core import core_schema

from zeke_jobs.core.quoting import describe, nearest, quote
from zeke_jobs.core.wording import UNITS, format_duration
from zeke_jobs.payload.model import Duration

RESERVED = frozenset({"broker", "zeke-metronome"})
"""Task ids that would hide another attribute of ``zeke_jobs.actors``: the broker, and the actor by which periodiq drives us."""

LONGEST_NAME = 100
_MOST_FAILURES = 1_000_000
HIGHEST_PRIORITY = 100

_RATE = r"([0-9]{1,9})\s*/\s*(s|m|h|d)"
_BUDGET = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([A-Z]{3})\s*/\s*d"
_SHARE = r"([0-9]{1,2})\s*%"
_NOT_PORTABLE = {"localtime", "posixrules", "Factory"}
T = TypeVar("T")


class EntryError(ValueError):
    """A refused value. ``args`` is the message and the help."""


@dataclass(frozen=True)
class Shape:
    """Text of a certain form. For text in another form ``mend`` makes a suggestion, or ``otherwise`` is the help."""

    pattern: str
    expected: str
    mend: Callable[[str], str]
    otherwise: Callable[[str], str] = lambda _: ""

    def check(self, text: str) -> str:
        """Return the text. Raises EntryError if it has another form or is too long."""
        whole = re.compile(self.pattern, re.ASCII)
        if whole.fullmatch(text):
            if len(text) > LONGEST_NAME:
                raise EntryError(f"expected at most {LONGEST_NAME} characters, got {len(text)}", "")
            return text
        mended = self.mend(text)
        help_ = f"did you mean {quote(mended)}?" if whole.fullmatch(mended) and mended != text else self.otherwise(text)
        raise EntryError(f"expected {self.expected}, got {quote(text)}", help_)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler) -> JsonDict:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


def _joined(by: str, allowed: str) -> Callable[[str], str]:
    """A function that replaces each run of characters that are not allowed."""
    return lambda text: re.sub(rf"[^{allowed}]+", by, text).strip(by)


def _dashed(text: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text)
    return _joined("-", "a-z0-9")(words.lower())


_IN_A_CLASS = re.compile(r":\w+\.\w|\.[A-Z]\w*\.\w")


def _colon(text: str) -> str:
    if _IN_A_CLASS.search(text):
        return text  # no rewriting leads to the right form
    return ":".join(text.replace(":", ".").rpartition(".")[::2])


_one_word = _joined("_", r"A-Za-z0-9_-")
_dotted = _joined(".", r"A-Za-z0-9_")
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_DASHES = r"[A-Za-z_][A-Za-z0-9_-]*"
TASK = Shape(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", "lower-case words joined by '-' as the id of a task", _dashed)
NAME = Shape(_DASHES, "letters, digits, '_' and '-' as a name", _one_word)
_ALIAS = Shape(r"[A-Za-z][A-Za-z0-9_.-]*", "letters, digits and '-', '_' or '.' as an alias", _one_word)
_FIELD = Shape(rf"{_DASHES}(?:\.{_DASHES})*", "a field, or a path such as user.email", _dotted)
_PACKAGE = Shape(rf"{_WORD}(?:\.{_WORD})*", "a Python package such as actors.store", _dotted)
_PATH = Shape(
    rf"{_PACKAGE.pattern}:{_WORD}",
    "module:name, with a name at the top of its module",
    _colon,
    lambda text: (
        "a method cannot be named; name a function at the top of the module" if _IN_A_CLASS.search(text) else ""
    ),
)


class Rate(BaseModel, frozen=True, extra="forbid"):
    """At most ``count`` starts in any ``period``; written as ``60/m``."""

    count: int
    period: timedelta

    @model_serializer
    def __str__(self) -> str:
        unit = next((unit for unit, worth in UNITS.items() if worth == self.period), None)
        return f"{self.count}/{unit or format_duration(self.period)}"


def _rate(text: Any) -> Rate:
    if isinstance(text, Rate):
        return text
    count, unit = _amount(
        text, _RATE, "a rate such as 10/s, 60/m or 1000/d", "a count of at least 1, a slash, and s, m, h or d"
    )
    return Rate(count=int(count), period=UNITS[unit])


def _amount(text: Any, pattern: str, what: str, help_: str) -> tuple[Decimal, str]:
    """The number, above 0, and the word of a text of this pattern."""
    if not isinstance(text, str):
        raise EntryError(f"expected {what}, got {describe(text)}", "")
    match = re.fullmatch(pattern, text, re.ASCII)
    if match is None or Decimal(match[1]) == 0:
        raise EntryError(f"expected {what}, got {quote(text)}", help_)
    return Decimal(match[1]), match[2]


class Budget(BaseModel, frozen=True, extra="forbid"):
    """At most ``amount`` of a currency a day; written as ``5.00 USD/d``."""

    amount: Decimal
    currency: str

    @model_serializer
    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}/d"


def _budget(text: Any) -> Budget:
    if isinstance(text, Budget):
        return text
    help_ = "an amount above 0, three capital letters (ISO 4217), and /d"
    amount, currency = _amount(text, _BUDGET, "a budget such as 5.00 USD/d", help_)
    return Budget(amount=amount, currency=currency)


def _failures(value: Any) -> Any:
    """A count of failures, or a share of all ends, which is written as ``50%``."""
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= _MOST_FAILURES
        and (value < 1 or value == int(value))
    ):
        return value
    match = re.fullmatch(_SHARE, value, re.ASCII) if isinstance(value, str) else None
    if match is None or not 0 < int(match[1]) < 100:
        raise EntryError(f"expected a count of failures, or a share such as 50%, got {describe(value)}", "")
    return int(match[1]) / 100


def check_task_id(text: str) -> str:
    """Return the text if it is a valid task id.

    Raises EntryError if it is not lower-case words joined by ``-``, or is reserved.
    """
    if text in RESERVED:
        raise EntryError(
            f"expected the id of a task, got {quote(text)}, which zeke_jobs.actors keeps for itself",
            "choose another id, and give this one as an alias where jobs are sent by it",
        )
    return TASK.check(text)


def _check_zone(name: str) -> str:
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):  # unknown, not a plain name, or a folder
        ZoneInfo(name)
        if name not in _NOT_PORTABLE:
            return name
    zones = sorted(available_timezones() - _NOT_PORTABLE)
    city = name.rsplit("/", 1)[-1].replace(" ", "_").lower()
    same_city = next((zone for zone in zones if zone.rsplit("/", 1)[-1].lower() == city), None)
    near = same_city or nearest(name.replace(" ", "_"), zones, likeness=0.75)
    help_ = f"did you mean {quote(near)}?" if near else "names are as in Europe/Paris; UTC is always known"
    raise EntryError(f"expected the name of a time zone, got {quote(name)}", help_)


def _positive(duration: Any) -> Any:
    if not duration:
        raise ValueError("expected a duration longer than nothing, got 0")
    return duration


def _not_none(count: Any) -> Any:
    if type(count) is int and count == 0:
        raise EntryError("expected a number of at least 1, got 0", "to start none, write paused: true")
    return count


AliasText = Annotated[str, _ALIAS]
FieldPath = Annotated[str, _FIELD]
Name = Annotated[str, NAME]
PackageText = Annotated[str, _PACKAGE]
PathText = Annotated[str, _PATH]
ZoneName = Annotated[str, AfterValidator(_check_zone)]
RateText = Annotated[Rate, BeforeValidator(_rate), WithJsonSchema({"type": "string", "pattern": f"^{_RATE}$"})]
BudgetText = Annotated[Budget, BeforeValidator(_budget), WithJsonSchema({"type": "string", "pattern": f"^{_BUDGET}$"})]
Failures = Annotated[
    int | float,
    BeforeValidator(_failures),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST_FAILURES},
                {"type": "string", "pattern": f"^{_SHARE}$"},
            ]
        }
    ),
]
Amount = Annotated[int | float, Field(ge=0, le=1_000_000_000)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
LogLines = Annotated[int, Field(ge=0, le=1_000)]
Slots = Annotated[int, BeforeValidator(_not_none), Field(ge=1, le=1_000_000)]
Priority = Annotated[int, Field(ge=-HIGHEST_PRIORITY, le=HIGHEST_PRIORITY)]
Many = Annotated[tuple[T, ...], Strict(strict=False)]
"""A list in the file, a tuple in Python."""

TASK_KEYS: JsonDict = {"propertyNames": {"pattern": f"^{TASK.pattern}$"}}
NAME_KEYS: JsonDict = {"propertyNames": {"pattern": f"^{NAME.pattern}$"}}
"""The JSON Schema of the keys of a mapping of tasks, and of services or limits."""
