"""Computes the fire times of a cron line: cronsim walks the calendar, and the rules here handle clock changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

from cronsim import CronSim

from zeke_jobs.cron.line import CronError, Fields, read

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cron", "CronError", "parse"]

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@lru_cache(maxsize=1000)
def parse(text: str) -> Cron:
    """Read a cron line: five fields (names, lists, ranges, steps; Sunday is 0 and 7) or ``@daily`` etc.

    Raises CronError if it is not valid, or names a day that does not exist; the message has the reason.
    """
    return Cron(text, read(text))


@dataclass(frozen=True)
class Cron:
    """A valid cron line. All times have a time zone; returned times are in UTC.

    A line whose hour field covers the whole day fires at each minute of real time at which the local clock shows a matching
    time. Any other line names times of day: a time that a clock change skips fires once, at the first instant after the gap
    (all times of one gap together); a time that occurs twice fires the first time.
    """

    text: str
    fields: Fields = field(repr=False)

    def __str__(self) -> str:
        return self.text

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The next fire time after a moment, or None if the calendar ends before."""
        return next(self.after(moment, zone), None)

    def between(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The fire times after ``start``, up to and including ``end``."""
        return takewhile(lambda tick: tick <= end, self.after(start, zone))

    def after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """All fire times after ``moment``, in order. Raises ValueError if ``moment`` has no time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got the naive {moment!r}; add tzinfo")
        ticks = self._steps if len(self.fields.hours) == 24 else self._times_of_day
        try:
            yield from ticks(moment.astimezone(UTC), zone)
        except OverflowError:
            return  # the calendar ends with the year 9999

    def _times_of_day(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        last = moment
        for wall in self._walls(_wall(moment, zone)):
            tick = _first_reached(wall, zone)
            if tick > last:  # otherwise it has fired: before the clock was put back, or with other times of the gap
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
        """The matching times on a clock that never changes."""
        *values, both = self.fields
        walls = CronSim(" ".join(",".join(map(str, sorted(some))) for some in values), after)
        walls.day_and = both
        return walls


def _wall(moment: datetime, zone: tzinfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _first_reached(wall: datetime, zone: tzinfo) -> datetime:
    """The first instant at which the local clock shows ``wall`` or, if it skips that time, a later time."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(instant, zone) == wall:
        return instant
    before_the_gap = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _next_change(before_the_gap, instant, zone) or instant


def _next_change(start: datetime, end: datetime, zone: tzinfo) -> datetime | None:
    """The first instant after ``start``, up to and including ``end``, at which the zone's offset changes."""
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
