"""The keys of jobs.yaml that bound and schedule the starts of jobs, and close a limit."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from zeke_jobs.config.entries import (
    Amount,
    BudgetText,
    Count,
    EntryError,
    Failures,
    Name,
    PositiveDuration,
    RateText,
    Slots,
    ZoneName,
)
from zeke_jobs.config.keys import Keys, key, no_default, unit_keys
from zeke_jobs.cron.line import CronError, read
from zeke_jobs.payload.model import Duration


class Concurrency(Keys):
    """How many jobs are active at once, over all machines."""

    called = "concurrency"
    short_form = ("limit", int, "a whole number")

    limit: Slots | None = key(None, "Most active jobs of the task.", "limit: 20")
    per_key: Slots | None = key(None, "Most active jobs that share a `key`.", "per_key: 1")


class Share(Keys):
    """What takes turns while more jobs are due than may start."""

    called = "share"
    short_form = ("by", str, "key")

    by: Literal["key"] = key("key", "What takes turns: the `key` that jobs were sent with.", "by: key")
    weights: dict[str, Annotated[int, Field(ge=1, le=1000)]] = key(
        {}, "Jobs of a key in each of its turns; one where there is no entry.", "weights: {customer-a: 3}"
    )


class LimitRate(Keys):
    """Most jobs that start in a time."""

    called = "rate"
    short_form = ("limit", str, "a rate such as 60/m")

    limit: RateText | None = key(None, "Most starts in any such time, evenly spaced.", "limit: 60/m")
    burst: Count | None = key(
        None, "Most starts at once; the rest are spaced wider. At most half of the rate.", "burst: 10"
    )

    @property
    def beside(self) -> int:
        """Starts at once beside the first one."""
        return (self.burst or 1) - 1

    def __str__(self) -> str:
        parts = (str(self.limit or ""), f"burst {self.burst}" if self.burst else "")
        return ", ".join(filter(None, parts))


class TaskRate(LimitRate):
    """Most jobs of the task that start in a time."""

    per_key: RateText | None = key(None, "Most starts of jobs that share a `key`.", "per_key: 1/s")

    def __str__(self) -> str:
        parts = (super().__str__(), f"{self.per_key} per key" if self.per_key else "")
        return ", ".join(filter(None, parts))


class UnitRate(Keys):
    """Most of a unit that jobs use in a time."""

    called = "a unit"
    required = ("rate",)

    rate: RateText | None = key(None, "Most use in any such time, evenly spread.", "rate: 90000/m")
    burst: Amount | None = key(
        None, "Use at once beside one job; the rest is spread wider. At most half of the rate.", "burst: 30000"
    )

    @property
    def beside(self) -> float:
        """Use at once beside one job."""
        return self.burst or 0


class Throttle(Keys):
    """How the concurrency changes when the provider throttles."""

    called = "throttle"

    least: Slots = key(1, "Each throttling halves the concurrency, down to this.", "least: 2")
    raise_every: PositiveDuration = key(
        timedelta(seconds=15),
        "After each such time without throttling, the concurrency rises by one.",
        "raise_every: 30s",
    )


class Breaker(Keys):
    """When failures pause the limit."""

    called = "breaker"
    required = ("failures",)

    failures: Failures = key(
        20, "A number of failed attempts, or a share of the ended ones; a share needs ten failed ones.", "failures: 50%"
    )
    within: PositiveDuration = key(timedelta(minutes=5), "The time in which failures are counted.", "within: 5m")
    pause: PositiveDuration = key(
        timedelta(minutes=2), "How long the limit is closed before one job probes.", "pause: 2m"
    )


class LimitKeys(Keys, json_schema_extra=unit_keys):
    """A limit that tasks share by naming it in `uses`."""

    called = "a limit"
    spread = "units"

    description: str = key("", "The limit's purpose, for people.")
    concurrency: Slots | None = key(None, "Most active jobs of all tasks that use it.", "concurrency: 8")
    rate: LimitRate | None = key(None, "Most jobs that start in a time.", "rate: 60/m")
    units: dict[Name, UnitRate] = key({}, "Most use in a time, for each unit under its own name.")
    budget: BudgetText | None = key(None, "Most that jobs of these tasks may cost a day.", "budget: 5.00 USD/d")
    throttle: Throttle = key(Throttle(), "How concurrency changes when the provider throttles.", "throttle: {least: 2}")
    breaker: Breaker | None = key(
        None, "When failures pause the limit.", "breaker: {failures: 20, within: 5m, pause: 2m}"
    )
    paused: bool = key(False, "Start no jobs of these tasks.", "paused: true")

    @model_validator(mode="before")
    @classmethod
    def _gather_units(cls, value: Any) -> Any:
        """A key that no limit has, with a mapping that has a rate, is a unit."""
        given = value.get("units", {}) if isinstance(value, dict) else None
        if not isinstance(given, dict):
            return value
        units = {
            name: one
            for name, one in value.items()
            if name not in cls.model_fields and isinstance(one, dict) and "rate" in one
        }
        if twice := next((name for name in units if name in given), None):
            raise EntryError(f"expected unit {twice} once, got it as a key of the limit and in units", "")
        rest = {name: one for name, one in value.items() if name not in units}
        return {**rest, "units": {**given, **units}} if units else value


class Limit(LimitKeys):
    """A shared limit with its name."""

    name: str


_EXAMPLE = 'minute hour day month weekday, for example "*/5 * * * *" or "@daily"'
Missed = Literal["latest", "skip", "all"]
Overlap = Literal["skip", "allow"]


def _check_line(text: str) -> str:
    try:
        read(text)
    except CronError as error:
        raise EntryError(error.reason, error.help or _EXAMPLE) from error
    return text


class Schedule(Keys):
    """When the scheduler sends jobs of the task."""

    called = "cron"
    required: ClassVar[tuple[str, ...]] = ("at",)
    short_form: ClassVar[tuple[str, type, str] | None] = ("at", str, "a cron line")

    at: Annotated[str, AfterValidator(_check_line)] = key("", "The cron line.", 'at: "*/5 * * * *"')
    timezone: ZoneName = key(
        "UTC", "Time zone of the line; by default the file's.", "timezone: Europe/Paris", json_schema_extra=no_default
    )
    missed: Missed = key(
        "latest", "Ticks missed while no scheduler ran: send the `latest`, `all`, or none (`skip`).", "missed: latest"
    )
    window: Duration = key(timedelta(days=1), "How far back the scheduler looks for missed ticks.", "window: 1d")
    overlap: Overlap = key(
        "skip", "`skip` a tick while the job of the tick before is unfinished, or `allow` it.", "overlap: skip"
    )
    jitter: Duration = key(timedelta(0), "Jobs become due up to this much later, at random.", "jitter: 30s")
    payload: dict[str, Any] = key({}, "Payload of the jobs.", "payload: {reason: schedule}")
    paused: bool = key(False, "Send nothing.", "paused: true")


class NamedSchedule(Schedule):
    """One of several schedules of a task."""

    called = "a named cron"
    required = ("name", "at")
    short_form = None

    name: Name = key("", "Its name; the schedule is called `TASK/NAME`.", "name: nightly")
    job_key: str | None = key(None, "The `key` of its jobs.", "key: team-7", alias="key")
