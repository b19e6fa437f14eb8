"""Defines the base class of the mappings in jobs.yaml, the function that declares a key, and the types of single values."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    Strict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_snake
from pydantic.config import JsonDict

from zeke_jobs.core.quoting import describe, nearest, quote
from zeke_jobs.core.wording import format_duration
from zeke_jobs.cron import calendar
from zeke_jobs.payload.model import Duration

_LONGEST_NAME = 100
_NOT_PORTABLE = {"localtime", "posixrules", "Factory"}
T = TypeVar("T")


class EntryError(ValueError):
    """Refuses a value. The exception's ``args`` are the message and the help."""


@dataclass(frozen=True)
class Shape:
    """Checks that a text matches a pattern. Otherwise, the error's help suggests a spelling that matches."""

    pattern: str
    expected: str

    def check(self, text: str) -> str:
        """Return the text. Raises EntryError if the text does not match the pattern or is too long."""
        if self._fits(text):
            if len(text) > _LONGEST_NAME:
                raise EntryError(f"expected at most {_LONGEST_NAME} characters, got {len(text)}", "")
            return text
        help_ = next((f"did you mean {quote(one)}?" for one in _spellings(text) if self._fits(one)), "")
        if self is _PATH and _IN_A_CLASS.search(text):
            help_ = "a method cannot be named; name a function at the top of the module"
        raise EntryError(f"expected {self.expected}, got {quote(text)}", help_)

    def _fits(self, text: str) -> bool:
        return re.fullmatch(self.pattern, text, re.ASCII) is not None

    @property
    def of_keys(self) -> JsonDict:
        """Return the JSON Schema of a mapping whose keys match the pattern."""
        return {"propertyNames": {"pattern": f"^{self.pattern}$"}}

    @property
    def schema(self) -> WithJsonSchema:
        """Return the JSON Schema of a text that matches the pattern."""
        return WithJsonSchema({"type": "string", "pattern": f"^{self.pattern}$"})


def _spellings(text: str) -> Iterator[str]:
    """Yield other spellings of a text. ``Shape.check`` suggests the first one that matches."""
    yield ":".join(text.replace(":", ".").rpartition(".")[::2])
    yield re.sub(r"[./]+", ".", re.sub(r"\.py(?=:)", "", text)).strip(".")
    yield re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")
    yield re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower()).strip("-")
    yield re.sub(r"[^A-Za-z0-9_]+", ".", text).strip(".")


_IN_A_CLASS = re.compile(r":\w+\.\w|\.[A-Z]\w*\.\w")
_WORD = r"[A-Za-z_][A-Za-z0-9_]*"
_DASHES = r"[A-Za-z_][A-Za-z0-9_-]*"
TASK = Shape(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", "lower-case words joined by '-' as the id of a task")
NAME = Shape(_DASHES, "letters, digits, '_' and '-' as a name")
_ALIAS = Shape(r"[A-Za-z][A-Za-z0-9_.-]*", "letters, digits and '-', '_' or '.' as an alias")
_FIELD = Shape(rf"{_DASHES}(?:\.{_DASHES})*", "a field, or a path such as user.email")
_PACKAGE = Shape(rf"{_WORD}(?:\.{_WORD})*", "a Python package such as actors.store")
_PATH = Shape(rf"{_PACKAGE.pattern}:{_WORD}", "module:name, with a name at the top of its module")


def check_task_id(text: str) -> str:
    """Return the id of a task. Raises EntryError if the id is not lower-case words joined by ``-``, or is reserved."""
    if text in ("broker", "zeke-metronome"):
        fault = f"expected the id of a task, got {quote(text)}, which zeke_jobs.actors keeps for itself"
        raise EntryError(fault, "choose another id, and give this one as an alias where jobs are sent by it")
    return TASK.check(text)


def _check_zone(name: str) -> str:
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):  # the zone is unknown, not a plain name, or a folder
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


def _check_line(text: str) -> str:
    try:
        calendar.parse(text)
    except calendar.CronError as error:
        example = 'minute hour day month weekday, for example "*/5 * * * *" or "@daily"'
        raise EntryError(error.reason, error.help or example) from error
    return text


AliasText = Annotated[str, AfterValidator(_ALIAS.check), _ALIAS.schema]
FieldPath = Annotated[str, AfterValidator(_FIELD.check), _FIELD.schema]
Name = Annotated[str, AfterValidator(NAME.check), NAME.schema]
PackageText = Annotated[str, AfterValidator(_PACKAGE.check), _PACKAGE.schema]
PathText = Annotated[str, AfterValidator(_PATH.check), _PATH.schema]
CronLine = Annotated[str, AfterValidator(_check_line)]
ZoneName = Annotated[str, AfterValidator(_check_zone)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Many = Annotated[tuple[T, ...], Strict(strict=False)]
"""A list in the file, a tuple in Python."""


SHOWN = object()
"""Marks a key of a task whose value the commands ``tasks`` and ``why`` show."""


def key(default: Any, meaning: str, example: str = "", **more: Any) -> Any:
    """Declare a key of a mapping: its default, its description, and an example line."""
    if isinstance(default, timedelta):
        more["json_schema_extra"] = {"default": format_duration(default)}
    return Field(default, description=meaning, examples=[example] if example else None, **more)


class Keys(BaseModel, extra="forbid", strict=True, frozen=True, allow_inf_nan=False):
    """Is the base class of mappings in jobs.yaml. It refuses unknown keys, and values of a wrong type."""

    called: ClassVar[str]
    """The name of the mapping in messages; by default the class's."""
    required: ClassVar[tuple[str, ...]] = ()
    """Required keys. They still have a default, so that the rest of a file can be checked without them."""
    short_form: ClassVar[tuple[str, type, str] | None] = None
    """A bare value for the mapping: the key that it sets, its type, and its name in messages."""
    spread: ClassVar[str | None] = None
    """A field whose keys are in the mapping itself."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if not hasattr(cls, "called"):
            cls.called = to_snake(cls.__name__)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Validate a value from a file. A key without a value is a fault."""
        return cls.model_validate(value, context=cls)

    @model_validator(mode="before")
    @classmethod
    def _write_out(cls, value: Any) -> Any:
        if cls.short_form is None or isinstance(value, dict | BaseModel):
            return value
        name, kind, expected = cls.short_form
        if isinstance(value, kind) and not isinstance(value, bool):
            return {name: value}
        raise EntryError(f"expected {expected} or a mapping, got {describe(value)}", "")

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nothing(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and info.context is not None:
            raise EntryError("expected a value, got nothing", "")
        return value
