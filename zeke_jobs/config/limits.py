"""The keys of jobs.yaml that bound how much may start, and say when a limit closes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import model_validator

from zeke_jobs.config.entries import BudgetText, Count, Failures, Name, PositiveDuration, Rate, RateText, Slots
from zeke_jobs.config.keys import Keys, key, unit_keys


class LimitRate(Keys):
    """How many jobs may start in a time."""

    called = "rate"
    short_form = ("limit", str, "a rate such as 60/m")

    limit: RateText | None = key(None, "Over any longer time.", "limit: 60/m")
    burst: Count | None = key(None, "At once; without it, as many as the rate says.", "burst: 10")

    @property
    def window(self) -> Rate | None:
        """What a claim counts: at most ``burst`` starts in the time that the rate takes for so many."""
        return _window(self.limit, self.burst)

    def __str__(self) -> str:
        return ", ".join(
            [
                *([str(self.limit)] if self.limit else []),
                *([f"burst {self.burst}"] if self.burst else []),
            ]
        )


class TaskRate(LimitRate):
    """How many jobs of the task may start in a time."""

    per_key: RateText | None = key(None, "Of jobs that share a `key`.", "per_key: 1/s")

    def __str__(self) -> str:
        return ", ".join(
            part for part in (super().__str__(), f"{self.per_key} per key" if self.per_key else "") if part
        )


class UnitRate(Keys):
    """How much of a unit jobs may use in a time."""

    called = "a unit"
    required = ("rate",)

    rate: RateText | None = key(None, "Over any longer time.", "rate: 90000/m")
    burst: Count | None = key(None, "At once; without it, as much as the rate says.", "burst: 30000")

    @property
    def window(self) -> Rate | None:
        """As a rate of jobs has it."""
        return _window(self.rate, self.burst)


class Throttle(Keys):
    """What becomes of the concurrency when the provider throttles."""

    called = "throttle"

    least: Slots = key(1, "Each time it is halved, down to this.", "least: 2")
    raise_every: PositiveDuration = key(
        timedelta(seconds=15), "After each such time of quiet it rises by one.", "raise_every: 30s"
    )


class Breaker(Keys):
    """When failures pause the limit."""

    called = "breaker"
    required = ("failures",)

    failures: Failures = key(20, "How many, or which share of at least ten ends.", "failures: 50%")
    within: PositiveDuration = key(timedelta(minutes=5), "The time in which they are counted.", "within: 5m")
    pause: PositiveDuration = key(timedelta(minutes=2), "How long it pauses before a job probes.", "pause: 2m")


class LimitKeys(Keys, json_schema_extra=unit_keys):
    """A limit that tasks share by naming it in `uses`."""

    called = "a limit"
    spread = "units"

    description: str = key("", "What it protects, for people.")
    concurrency: Slots | None = key(None, "Most active jobs of all tasks that use it.", "concurrency: 8")
    rate: LimitRate | None = key(None, "How many jobs may start in a time.", "rate: 60/m")
    units: dict[Name, UnitRate] = key({}, "Each by its own name as a key: how much of it jobs may use in a time.")
    budget: BudgetText | None = key(None, "What jobs of these tasks may cost a day.", "budget: 5.00 USD/d")
    throttle: Throttle = key(Throttle(), "What throttling by the provider does to concurrency.", "throttle: {least: 2}")
    breaker: Breaker | None = key(None, "When failures pause it.", "breaker: {failures: 20, within: 5m, pause: 2m}")
    paused: bool = key(False, "Start no jobs of these tasks.", "paused: true")

    @model_validator(mode="before")
    @classmethod
    def _gather_units(cls, value: Any) -> Any:
        """A key that no limit has, with a mapping that has a rate, is a unit."""
        if not isinstance(value, dict):
            return value
        units = {
            name: one
            for name, one in value.items()
            if name not in cls.model_fields and isinstance(one, dict) and "rate" in one
        }
        rest = {name: one for name, one in value.items() if name not in units}
        return {**rest, "units": {**rest.get("units", {}), **units}} if units else value


class Limit(LimitKeys):
    """A shared limit with its name."""

    name: str


def _window(rate: Rate | None, burst: int | None) -> Rate | None:
    if rate is None or burst is None:
        return rate
    return Rate(count=burst, period=rate.period * burst / rate.count)
