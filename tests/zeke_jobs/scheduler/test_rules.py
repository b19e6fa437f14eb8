"""The rules decide due ticks and their outcomes, without clock and database."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from tests.zeke_jobs.scheduler.world import MINUTE, NINE, shown
from zeke_jobs.cron.calendar import parse
from zeke_jobs.scheduler.rules import MOST_SKIPPED, ON_TIME, Timetable, decide, due, start_of


def timetable(line: str = "*/5 * * * *", **rules: Any) -> Timetable:
    return Timetable("pull", parse(line), ZoneInfo("UTC"), **rules)


def outcomes(table: Timetable, decided_to: datetime, now: datetime) -> list[str]:
    return [shown(tick) for tick in decide(table, due(table, decided_to, now), now)]


def test_a_window_shorter_than_a_beat_loses_no_tick_that_is_on_time_and_of_two_the_later_is_sent() -> None:
    assert outcomes(timetable(window=timedelta(seconds=1)), NINE - MINUTE, NINE + MINUTE) == ["09:00 sent"]
    assert outcomes(timetable("* * * * *"), NINE - MINUTE, NINE + MINUTE) == ["09:00 skipped overlap", "09:01 sent"]


def test_a_long_absence_writes_down_the_newest_ticks_alone_and_sends_all_that_it_must() -> None:
    now = NINE + timedelta(days=2)
    ticks = decide(table := timetable("* * * * *", window=timedelta(days=7)), due(table, NINE, now), now)
    assert len(ticks) == MOST_SKIPPED + 1
    assert ticks[-1].scheduled_for == now
    everything = timetable("* * * * *", window=timedelta(days=7), missed="all")
    assert len(decide(everything, due(everything, NINE, now), now)) == 2 * 1440


@given(st.integers(0, 3600), st.integers(0, 5_000_000))
def test_jitter_delays_each_tick_by_less_than_it_says_and_by_the_same_for_every_scheduler(
    jitter: int, minute: int
) -> None:
    tick = NINE + minute * MINUTE
    table = timetable(jitter=timedelta(seconds=jitter))
    start = start_of(table, tick, tick - timedelta(seconds=1))
    assert start == start_of(timetable(jitter=timedelta(seconds=jitter)), tick, tick - timedelta(seconds=1))
    assert start is not None
    assert timedelta(0) <= start - tick <= timedelta(seconds=jitter)
    table = timetable(jitter=timedelta(minutes=10))
    assert len({(start_of(table, NINE + n * MINUTE, NINE) or NINE) - NINE - n * MINUTE for n in range(10)}) == 10
    assert start_of(timetable(), NINE, NINE + ON_TIME) is None
