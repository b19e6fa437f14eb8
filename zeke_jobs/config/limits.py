"""Defines the keys of jobs.yaml for limits and schedules."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, model_serializer, model_validator

from zeke_jobs.config.entries import Count, CronLine, EntryError, Keys, Name, PositiveDuration, ZoneName, key
from zeke_jobs.core.quoting import describe
from zeke_jobs.core.wording import UNITS, format_duration
from zeke_jobs.payload.model import Duration

_MOST_FAILURES = 1_000_000
_SHARE = r"([0-9]{1,2})\s*%"


class _Written(BaseModel, frozen=True, extra="forbid"):
    """Holds a value of jobs.yaml that has a number above 0 and a unit, such as ``60/m``."""

    pattern: ClassVar[str]
    expected: ClassVar[str]
    parts: ClassVar[str]

    @classmethod
    def read(cls, text: Any) -> Any:
        """Read a text. A value that has already been read is returned unchanged. Raises EntryError if the text is invalid."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(cls.pattern, text, re.ASCII) if isinstance(text, str) else None
        if match is None or not Decimal(match[1]):
            help_ = cls.parts if isinstance(text, str) else ""
            raise EntryError(f"expected {cls.expected}, got {describe(text)}", help_)
        number, word = match.groups()
        return cls(**dict(zip(cls.model_fields, (number, UNITS.get(word, word)), strict=True)))


class Rate(_Written):
    """Allows at most ``count`` starts, or units of use, in any ``period``. In jobs.yaml, a rate looks like ``60/m``."""

    pattern = r"([0-9]{1,9})\s*/\s*(s|m|h|d)"
    expected = "a rate such as 10/s, 60/m or 1000/d"
    parts = "a count of at least 1, a slash, and s, m, h or d"

    count: int
    period: timedelta

    @model_serializer
    def __str__(self) -> str:
        unit = next((unit for unit, worth in UNITS.items() if worth == self.period), None)
        return f"{self.count}/{unit or format_duration(self.period)}"


class Budget(_Written):
    """Allows a cost of at most ``amount`` a day. In jobs.yaml, a budget looks like ``5.00 USD/d``."""

    pattern = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([A-Z]{3})\s*/\s*d"
    expected = "a budget such as 5.00 USD/d"
    parts = "an amount above 0, three capital letters (ISO 4217), and /d"

    amount: Decimal
    currency: str

    @model_serializer
    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}/d"


def _failures(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= _MOST_FAILURES and (value < 1 or value == int(value)):
        return value
    match = re.fullmatch(_SHARE, value, re.ASCII) if isinstance(value, str) else None
    if match is None or not 0 < int(match[1]) < 100:
        raise EntryError(f"expected a count of failures, or a share such as 50%, got {describe(value)}", "")
    return int(match[1]) / 100


def _not_none(count: Any) -> Any:
    if type(count) is int and count == 0:
        raise EntryError("expected a number of at least 1, got 0", "to start none, write paused: true")
    return count


RateText = Annotated[
    Rate, BeforeValidator(Rate.read), WithJsonSchema({"type": "string", "pattern": f"^{Rate.pattern}$"})
]
BudgetText = Annotated[
    Budget, BeforeValidator(Budget.read), WithJsonSchema({"type": "string", "pattern": f"^{Budget.pattern}$"})
]
_COUNT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": _MOST_FAILURES}
_SHARE_SCHEMA = {"type": "string", "pattern": f"^{_SHARE}$"}
Failures = Annotated[int | float, BeforeValidator(_failures), WithJsonSchema({"anyOf": [_COUNT_SCHEMA, _SHARE_SCHEMA]})]
Slots = Annotated[int, BeforeValidator(_not_none), Field(ge=1, le=1_000_000)]
Amount = Annotated[int | float, Field(ge=0, le=1_000_000_000)]


class Concurrency(Keys):
    """Bounds the number of jobs that are active at once, over all machines."""

    short_form = ("limit", int, "a whole number")

    limit: Slots | None = key(None, "Maximum number of active jobs of the task.", "limit: 20")
    per_key: Slots | None = key(None, "Maximum number of active jobs with the same `key`.", "per_key: 1")


class LimitRate(Keys):
    """Bounds the number of starts in a period."""

    called = "rate"
    short_form = ("limit", str, "a rate such as 60/m")

    limit: RateText | None = key(None, "Maximum number of starts in any such period, evenly spaced.", "limit: 60/m")
    burst: Count | None = key(
        None, "Maximum number of starts at once; the rest are spaced wider. At most half of the rate.", "burst: 10"
    )

    @property
    def beside(self) -> int:
        """Return how many more jobs may start at the same moment as a first one."""
        return (self.burst or 1) - 1

    def __str__(self) -> str:
        per_key = getattr(self, "per_key", None)
        of_key = f"{per_key} per key" if per_key else ""
        parts = (str(self.limit or ""), f"burst {self.burst}" if self.burst else "", of_key)
        return ", ".join(filter(None, parts))


class TaskRate(LimitRate):
    """Bounds the number of the task's jobs that start in a period."""

    per_key: RateText | None = key(None, "Maximum number of starts of jobs with the same `key`.", "per_key: 1/s")


class UnitRate(Keys):
    """Bounds the use of a unit in a period."""

    called = "a unit"
    required = ("rate",)

    rate: RateText | None = key(None, "Maximum use in any such period, evenly spread.", "rate: 90000/m")
    burst: Amount | None = key(
        None, "Use at once, in addition to one job; the rest is spread wider. At most half of the rate.", "burst: 30000"
    )


class Throttle(Keys):
    """Sets how the concurrency changes when the provider throttles."""

    least: Slots = key(1, "Each throttling halves the concurrency, down to this.", "least: 2")
    raise_every: PositiveDuration = key(
        timedelta(seconds=15), "Time without throttling after which the concurrency rises by one.", "raise_every: 30s"
    )


class Breaker(Keys):
    """Sets how many failures stop the jobs under the limit, and for how long."""

    required = ("failures",)

    failures: Failures = key(
        20, "A number of failed attempts, or a share of the ended ones; a share needs ten failed ones.", "failures: 50%"
    )
    within: PositiveDuration = key(timedelta(minutes=5), "The time in which failures are counted.", "within: 5m")
    pause: PositiveDuration = key(timedelta(minutes=2), "How long it is closed before one job probes.", "pause: 2m")


def _unit_keys(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a limit accept any unit's name (such as ``tokens``) as a key, beside the fixed keys."""
    units = schema["properties"].pop("units")
    (one,) = units["patternProperties"].values()
    schema["additionalProperties"] = {**one, "description": units["description"]}


class LimitKeys(Keys, json_schema_extra=_unit_keys):
    """Defines a limit that tasks share by naming it in `uses`."""

    called = "a limit"
    spread: ClassVar[str] = "units"

    description: str = key("", "The limit's purpose, for people.")
    concurrency: Slots | None = key(None, "Maximum number of active jobs of all tasks that use it.", "concurrency: 8")
    rate: LimitRate | None = key(None, "Maximum number of starts per time.", "rate: 60/m")
    units: dict[Name, UnitRate] = key({}, "Maximum use per time, for each unit under its own name.")
    budget: BudgetText | None = key(None, "Maximum cost per day of the jobs of these tasks.", "budget: 5.00 USD/d")
    throttle: Throttle = key(Throttle(), "How concurrency changes when the provider throttles.", "throttle: {least: 2}")
    breaker: Breaker | None = key(None, "When failures pause the limit.", "breaker: {failures: 20, within: 5m}")
    paused: bool = key(False, "Start no jobs of these tasks.", "paused: true")

    @model_validator(mode="before")
    @classmethod
    def _gather_units(cls, value: Any) -> Any:
        """Treat an unknown key as the name of a unit (such as tokens) if its value is a mapping with ``rate``."""
        given = value.get("units", {}) if isinstance(value, dict) else None
        if not isinstance(given, dict):
            return value
        others = {name: one for name, one in value.items() if name not in cls.model_fields}
        units = {name: one for name, one in others.items() if isinstance(one, dict) and "rate" in one}
        if twice := next((name for name in units if name in given), None):
            raise EntryError(f"expected unit {twice} once, got it as a key of the limit and in units", "")
        rest = {name: one for name, one in value.items() if name not in units}
        return {**rest, "units": {**given, **units}} if units else value


class Limit(LimitKeys):
    """Holds a shared limit with its name."""

    name: str


class Schedule(Keys):
    """Sets when the scheduler sends jobs of the task."""

    called = "cron"
    required: ClassVar[tuple[str, ...]] = ("at",)
    short_form: ClassVar[tuple[str, type, str] | None] = ("at", str, "a cron line")

    at: CronLine = key("", "The cron line.", 'at: "*/5 * * * *"')
    timezone: ZoneName = key(
        "UTC",
        "Time zone of the line; by default the file's.",
        "timezone: Europe/Paris",
        json_schema_extra=lambda schema: schema.pop("default"),
    )
    missed: Literal["latest", "skip", "all"] = key(
        "latest", "Ticks missed while no scheduler ran: send the `latest`, `all`, or none (`skip`).", "missed: latest"
    )
    window: Duration = key(timedelta(days=1), "How far back the scheduler looks for missed ticks.", "window: 1d")
    overlap: Literal["skip", "allow"] = key(
        "skip", "`skip` a tick while the job of the tick before is unfinished, or `allow` it.", "overlap: skip"
    )
    jitter: Duration = key(timedelta(0), "Jobs become due up to this much later, at random.", "jitter: 30s")
    payload: dict[str, Any] = key({}, "Payload of the jobs.", "payload: {reason: schedule}")
    paused: bool = key(False, "Send nothing.", "paused: true")


class NamedSchedule(Schedule):
    """Defines one of several schedules of a task."""

    called = "a named cron"
    required = ("name", "at")
    short_form = None

    name: Name = key("", "Its name; the schedule is called `TASK/NAME`.", "name: nightly")
    job_key: str | None = key(None, "The `key` of its jobs.", "key: team-7", alias="key")
