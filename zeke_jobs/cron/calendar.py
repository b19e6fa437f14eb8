"""Parses cron lines strictly, and computes fire times with cronsim, corrected for changes of the local clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from cronsim import CronSim

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TERM = re.compile(
    r"(?P<first>\*|[a-z]+|[0-9]{1,9})(-(?P<last>[a-z]+|[0-9]{1,9}))?(/(?P<step>[0-9]{1,9}))?", re.ASCII | re.IGNORECASE
)
_DIALECT = re.compile(r"[0-9a-z]*#.*|[0-9]*[lw]{1,2}|\?", re.IGNORECASE)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class CronError(ValueError):
    """A cron line is not valid. ``reason`` names the accepted form. ``help`` says how to correct it, or is empty."""

    def __init__(self, reason: str, help: str = "") -> None:  # noqa: A002 (the diagnostics use this word)
        super().__init__(f"{reason}; {help}" if help else reason)
        self.reason = reason
        self.help = help


class _Field(NamedTuple):
    name: str
    within: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    accepts: str = ""

    def values(self, term: str, word: str) -> range:
        """Return the values of ``term``, one of the parts between the commas of ``word``."""
        match = _TERM.fullmatch(term)
        if match is None:
            raise self._unexpected(repr(word), _foreign(term))
        first, last, step = match["first"], match["last"], match["step"]
        if first == "*":
            if last is not None:
                raise self._unexpected(repr(word), "write * alone or before a step: */5")
            low, high = self.low, self.high - (self.high == 7)
        else:
            low = self._value(first)
            high = low if last is None else self._value(last)
            if last is not None and last.lower() == "sun" and low > 0:
                high = 7
            if high < low:
                end, start = (self.names[-1], self.names[0]) if self.names else (self.high, self.low)
                fault = f"expected a range that ends after it begins, got {self.name} {term!r}"
                raise CronError(fault, f"write {first}-{end},{start}-{last}")
            if step is not None and last is None:
                fault = f"expected a range or * before the step, got {self.name} {term!r}"
                raise CronError(fault, f"write {first}-{self.high}/{step}")
        widest = self.high - self.low - (self.high == 7)
        if step is not None and not 1 <= int(step) <= widest:
            help_ = f"steps start anew with each {self.within}, so none can be longer" if int(step) else ""
            raise CronError(f"expected a step of 1 to {widest} for {self.name}, got {term!r}", help_)
        return range(low, high + 1, int(step or 1))

    def _value(self, word: str) -> int:
        if word.isdigit():
            if not self.low <= int(word) <= self.high:
                raise self._unexpected(word)
            return int(word)
        name = word.lower()
        if name in self.names:
            return self.names.index(name) + self.low
        raise self._unexpected(repr(word), f"write {name[:3]}" if name[:3] in self.names else _foreign(word))

    def _unexpected(self, got: str, help_: str = "") -> CronError:
        return CronError(f"expected {self.name} {self.low}-{self.high}{self.accepts}, got {got}", help_)


_FIELDS = (
    _Field("minute", "hour", 0, 59),
    _Field("hour", "day", 0, 23),
    _Field("day of month", "month", 1, 31),
    _Field("month", "year", 1, 12, MONTHS, " or jan-dec"),
    _Field("day of week", "week", 0, 7, WEEKDAYS, " or sun-sat"),
)


def _foreign(term: str) -> str:
    return "L, W, # and ? belong to other dialects of cron" if _DIALECT.fullmatch(term) else ""


@lru_cache(maxsize=1000)
def parse(text: str) -> Cron:
    """Read a cron line: five fields (names, lists, ranges, steps; Sunday is 0 and 7) or ``@daily`` etc.

    Raises CronError, with the reason, if the line is not valid, or names a day that does not exist.
    """
    line = text.strip()
    if line.startswith("@") and line.lower() not in SHORTHANDS:
        help_ = "a schedule has times, not events" if line.lower() == "@reboot" else "write the five fields"
        raise CronError(f"expected one of {', '.join(SHORTHANDS)}, got {line!r}", help_)
    words = SHORTHANDS.get(line.lower(), line).split()
    if len(words) != len(_FIELDS):
        help_ = "seconds and years are not part of a cron line" if len(words) > len(_FIELDS) else ""
        fault = f"expected five fields (minute, hour, day of month, month, day of week), got {len(words)}"
        raise CronError(fault, help_)
    minutes, hours, days, months, weekdays = (
        frozenset[int]().union(*(field.values(term, word) for term in word.split(",")))
        for field, word in zip(_FIELDS, words, strict=True)
    )
    both = words[2].startswith("*") or words[4].startswith("*")
    if both and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        names = ", ".join(MONTHS[month - 1] for month in sorted(months))
        fault = f"expected a day that comes, got day {min(days)} of {names}"
        raise CronError(fault, "no such month is that long, so this would never fire")
    return Cron(text, minutes, hours, days, months, frozenset(day % 7 for day in weekdays), both)


@dataclass(frozen=True)
class Cron:
    """Holds the values of a valid cron line. All times have a time zone. Returned times are in UTC.

    A line that matches every hour fires whenever the local clock shows a matching time. Any other line fires at certain
    times of day. If a clock change skips some of them, the line fires once, at the first instant after the gap. If a
    clock change repeats a time, the line fires only the first time.

    Weekdays are 0 (Sunday) to 6. If ``both`` is true, the day of the month and the weekday must match; otherwise one of
    them is enough. As in cron, ``both`` is true if one of these two fields starts with ``*``.
    """

    text: str = field(compare=False)
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool

    def __str__(self) -> str:
        return self.text

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the next fire time after a moment, or None if no fire time comes before the year 10000."""
        return next(self.after(moment, zone), None)

    def between(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Return the fire times after ``start``, up to and including ``end``."""
        return takewhile(lambda tick: tick <= end, self.after(start, zone))

    def after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """Yield all fire times after ``moment``, in order. Raises ValueError if ``moment`` has no time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got the naive {moment!r}; add tzinfo")
        ticks = self._steps if len(self.hours) == 24 else self._times_of_day
        try:
            yield from ticks(moment.astimezone(UTC), zone)
        except OverflowError:
            return  # the calendar ends with the year 9999

    def _times_of_day(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        last = moment
        for wall in self._walls(_wall(moment, zone)):
            tick = _first_reached(wall, zone)
            if tick > last:  # a clock change may repeat a tick that has fired
                yield tick
                last = tick

    def _steps(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        change: datetime | None = moment.replace(microsecond=0) + _SECOND
        while change is not None:
            start = last = change
            wall_at_start = _wall(start, zone)
            for wall in self._walls(wall_at_start - _SECOND):
                tick = start + (wall - wall_at_start)
                change = _next_change(last, tick, zone)
                if change is not None:
                    break  # continue from there with the new offset
                yield tick
                last = tick

    def _walls(self, after: datetime) -> CronSim:
        """Return the cron line's local times after ``after``, without daylight-saving time and other clock changes."""
        values = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        walls = CronSim(" ".join(",".join(map(str, sorted(some))) for some in values), after)
        walls.day_and = self.both
        return walls


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_reached(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant at which the local clock shows ``wall`` or, if the clock skips ``wall``, a later time."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(instant, zone) == wall:
        return instant
    before_the_gap = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _next_change(before_the_gap, instant, zone) or instant


def _next_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """Return the first instant after ``start``, up to and including ``end``, at which the zone's offset changes."""
    offset = start.astimezone(zone).utcoffset()
    low = start
    while low < end:
        high = min(low + _DAY, end)
        if high.astimezone(zone).utcoffset() != offset:
            while high - low > _SECOND:
                middle = low + (high - low) // 2
                middle -= timedelta(microseconds=middle.microsecond)
                if middle.astimezone(zone).utcoffset() == offset:
                    low = middle
                else:
                    high = middle
            return high
        low = high
    return None
