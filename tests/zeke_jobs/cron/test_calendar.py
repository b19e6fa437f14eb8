"""Fire times are compared with a scan over every minute, and with the cases of docs/schedules.md."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from zeke_jobs.cron.calendar import Cron, parse

ZONES = (
    # St. John's is offset by half an hour.
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "America/St_Johns"),
    # Dublin has negative daylight time in winter, and Casablanca changes for Ramadan.
    *("Europe/Dublin", "Africa/Casablanca"),
    *("America/Santiago", "Asia/Beirut"),  # Clocks in Santiago and Beirut change at midnight.
    # Caracas moved by half an hour once, and Lord Howe moves by half an hour each year.
    *("America/Caracas", "Australia/Lord_Howe"),
    # Gaza changes by decree, Troll by two hours, and Chatham at 02:45.
    *("Asia/Gaza", "Antarctica/Troll", "Pacific/Chatham"),
    "Pacific/Apia",  # Apia had no 30 December 2011.
)
MINUTE = timedelta(minutes=1)
DAY = 1440


class Scan:
    """The scan has the local time of every minute of a period, counted from year 1.

    Minutes are stored as runs in which the local time advances by one: the index of the first minute, and the local
    times.
    """

    def __init__(self, zone: str, start: datetime, end: datetime) -> None:
        self.start, self.runs = start, list[tuple[int, range]]()
        tz = ZoneInfo(zone)

        def shown(index: int) -> int:
            at = tz.fromutc((start + index * MINUTE).replace(tzinfo=tz))
            return (at.toordinal() * 24 + at.hour) * 60 + at.minute

        minutes = int((end - start) / MINUTE)
        for hour in range(0, minutes, 60):
            first, length = shown(hour), min(60, minutes - hour)
            if shown(hour + length) == first + length:  # The clock does not change within this hour.
                self._show(hour, range(first, first + length))
            else:
                for index in range(hour, hour + length):
                    self._show(index, range(shown(index), shown(index) + 1))

    def _show(self, index: int, walls: range) -> None:
        if self.runs and self.runs[-1][1].stop == walls.start:
            first, before = self.runs.pop()
            index, walls = first, range(before.start, walls.stop)
        self.runs.append((index, walls))

    def fires(self, cron: Cron) -> list[datetime]:
        """Return the minutes at which the line fires, by every display of the time or by its first display or skip."""
        due, found, latest = self._matching(cron), set[int](), self.runs[0][1].start - 1
        every_hour = len(cron.hours) == 24
        for index, walls in self.runs:
            if not every_hour and not due.isdisjoint(range(latest + 1, walls.start)):
                found.add(index)
            found |= {index + wall - walls.start for wall in due if wall in walls and (every_hour or wall > latest)}
            latest = max(latest, walls.stop - 1)
        return [self.start + index * MINUTE for index in sorted(found)]

    def _matching(self, cron: Cron) -> set[int]:
        due = set[int]()
        for day in range(
            min(walls.start for _, walls in self.runs) // DAY, max(walls.stop for _, walls in self.runs) // DAY + 1
        ):
            date = datetime.fromordinal(day)
            dom, dow = date.day in cron.days, date.isoweekday() % 7 in cron.weekdays
            if date.month in cron.months and ((dom and dow) if cron.both else (dom or dow)):
                due |= {day * DAY + h * 60 + m for h in cron.hours for m in cron.minutes}
        return due


@cache
def changes(zone: str) -> list[datetime]:
    """Return the hours before which the zone's offset changed."""
    tz = ZoneInfo(zone)
    days = [datetime(2005, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365 * 25)]

    def between(times: list[datetime]) -> list[tuple[datetime, datetime]]:
        offsets = [time.astimezone(tz).utcoffset() for time in times]
        return [(times[n], times[n + 1]) for n in range(len(times) - 1) if offsets[n] != offsets[n + 1]]

    hours = [[day + timedelta(hours=n) for n in range(25)] for day, _ in between(days)]
    return [after for day in hours for _, after in between(day)] or days[::200]


def lists(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    ranges = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(st.one_of(st.just("*"), ranges), st.integers(1, min(high - low, 30))).map("{0[0]}/{0[1]}".format)
    term = st.one_of(value.map(str), ranges, steps)
    return st.one_of(st.just("*"), st.lists(term, min_size=1, max_size=3).map(",".join))


LINE = st.tuples(lists(0, 59), lists(0, 23), lists(1, 28), lists(1, 12), lists(0, 6)).map(" ".join)
NEAR_MIDNIGHT = st.tuples(lists(0, 59), st.one_of(lists(0, 4), st.just("23,0"))).map(lambda p: f"{p[0]} {p[1]} * * *")


@given(st.data())
def test_any_line_around_any_clock_change_equals_a_scan_over_every_minute(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(ZONES))
    change = data.draw(st.sampled_from(changes(zone)))
    cron = parse(data.draw(st.one_of(LINE, NEAR_MIDNIGHT)))
    start, end = change - timedelta(days=2), change + timedelta(days=2)
    expected = Scan(zone, start, end).fires(cron)
    assert list(cron.between(start - MINUTE, end - MINUTE, ZoneInfo(zone))) == expected
    moment = start + timedelta(
        days=1, seconds=data.draw(st.integers(0, 2 * 86400)), microseconds=data.draw(st.sampled_from([0, 1, 999_999]))
    )
    following = cron.next_after(moment, ZoneInfo(zone))
    assert following is not None
    assert following > moment
    assert [tick for tick in expected if tick > moment][:1] == [t for t in [following] if t < end]


PAGE = Path(__file__).parents[3] / "docs" / "schedules.md"
CASES = [
    [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").partition("## Clock changes")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize(("line", "zone", "start", "fires"), CASES)
def test_a_clock_change_does_what_the_documentation_says(line: str, zone: str, start: str, fires: str) -> None:
    tz = ZoneInfo(zone)
    expected = fires.split(", ")
    begun = datetime.fromisoformat(start).replace(tzinfo=tz) - timedelta(seconds=1)
    ticks = islice(parse(line).between(begun, datetime(2030, 1, 1, tzinfo=UTC), tz), len(expected))
    assert [tick.astimezone(tz).strftime("%d %H:%M %z") for tick in ticks] == expected


def test_fire_times_come_out_in_utc() -> None:
    tick = parse("0 9 * * *").next_after(datetime(2025, 6, 4, tzinfo=UTC), ZoneInfo("Asia/Kathmandu"))
    assert tick == datetime(2025, 6, 4, 3, 15, tzinfo=UTC)
    assert tick.tzinfo is UTC


def test_no_fire_time_is_left_at_the_end_of_the_calendar() -> None:
    assert parse("0 0 29 2 *").next_after(datetime(9997, 1, 1, tzinfo=UTC), UTC) is None


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time with a zone"):
        parse("@daily").next_after(datetime(2025, 1, 1), UTC)  # noqa: DTZ001
