"""Cron lines fire as docs/schedules.md says, and at the times that a check of every minute finds."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from zeke_jobs.cron.calendar import Cron, parse

ZONES = (
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"),
    *("America/St_Johns", "America/Caracas", "Australia/Lord_Howe"),  # offset or moved by half an hour
    *("Europe/Dublin", "Africa/Casablanca", "Asia/Gaza"),  # negative daylight time in winter, Ramadan, by decree
    *("America/Santiago", "Asia/Beirut", "Pacific/Chatham"),  # changes at midnight, and at 02:45
    *("Antarctica/Troll", "Pacific/Apia"),  # changes by two hours, and a day that was left out
)
MINUTE = timedelta(minutes=1)


def scan(cron: Cron, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return when a line fires. One that does not match every hour fires also for skipped times, and once for repeated."""
    tz, every_hour, found = ZoneInfo(zone), len(cron.hours) == 24, list[datetime]()
    minutes = [start + n * MINUTE for n in range(int((end - start) / MINUTE))]
    latest = start.astimezone(tz).replace(tzinfo=None) - MINUTE
    for minute in minutes:
        wall = minute.astimezone(tz).replace(tzinfo=None)
        skipped = [latest + n * MINUTE for n in range(1, int((wall - latest) / MINUTE))]
        if every_hour:
            fires = matches(cron, wall)
        else:
            fires = (wall > latest and matches(cron, wall)) or any(matches(cron, one) for one in skipped)
        found += [minute] if fires else []
        latest = max(latest, wall)
    return found


def matches(cron: Cron, wall: datetime) -> bool:
    dom, dow = wall.day in cron.days, wall.isoweekday() % 7 in cron.weekdays
    is_day = wall.month in cron.months and ((dom and dow) if cron.both else (dom or dow))
    return is_day and wall.hour in cron.hours and wall.minute in cron.minutes


@cache
def changes(zone: str) -> list[datetime]:
    """Return the first full hour after each change of the zone's offset."""
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
    expected = scan(cron, zone, start, end)
    assert list(cron.between(start - MINUTE, end - MINUTE, ZoneInfo(zone))) == expected
    moment = start + timedelta(days=1, seconds=data.draw(st.integers(0, 2 * 86400)))
    moment += timedelta(microseconds=data.draw(st.sampled_from([0, 1, 999_999])))
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


SAME = {
    "@weekly": "0 0 * * 0", "@yearly": "0 0 1 jan *", "@Daily": "0 0 * * *", "0 9 * * 7": "0 9 * * 0", "0 9 * * sun": "0 9 * * 0",
    "0 9 * * SUN": "0 9 * * 0", "0 9 * * sat-sun": "0 9 * * 6,0", "0 9 * * 5-7": "0 9 * * fri,sat,sun", "0 9 * * 1-fri": "0 9 * * mon-fri",
    "0 0 1 jan-mar/2 *": "0 0 1 1,3 *", "0-59/20,7 * * * *": "0,7,20,40 * * * *", "  05\t4 * * *  ": "5 4 * * *",
}  # fmt: skip


def test_two_spellings_mean_the_same_the_text_is_kept_and_fire_times_are_in_utc_and_end_with_the_calendar() -> None:
    assert [(one, other) for one, other in SAME.items() if parse(one) != parse(other)] == []
    for word in ("mon-sun", "0-6", "sun-sat", "0-7", "1-7"):
        assert parse(f"0 0 * * {word}").weekdays == frozenset(range(7))
    assert parse("0 0 30 2 mon").weekdays == {1}, "an impossible date beside a weekday, which comes"
    for text in ("@weekly", " */5 *  * * * ", "0 9 * * Mon-Fri"):
        assert str(parse(text)) == text
    tick = parse("0 9 * * *").next_after(datetime(2025, 6, 4, tzinfo=UTC), ZoneInfo("Asia/Kathmandu"))
    assert tick == datetime(2025, 6, 4, 3, 15, tzinfo=UTC)
    assert tick.tzinfo is UTC
    assert parse("0 0 29 2 *").next_after(datetime(9997, 1, 1, tzinfo=UTC), UTC) is None
    with pytest.raises(ValueError, match="expected a time with a zone"):
        parse("@daily").next_after(datetime(2025, 1, 1), UTC)  # noqa: DTZ001
