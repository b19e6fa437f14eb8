from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.sources.rhythm import Rhythm
from actors.store.sources import Polling

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RHYTHM = Rhythm()


@pytest.mark.parametrize(
    ("ages_in_hours", "interval"),
    [
        ([], HOUR),
        ([None, None], HOUR),
        ([1], timedelta(hours=24)),
        (list(range(14)), timedelta(hours=12)),
        ([h / 100 for h in range(5000)], timedelta(minutes=5)),
        ([24 * 30], timedelta(hours=24)),
        ([1, 2, 3, 4, 5, 6, 7, 24 * 30, None], timedelta(hours=24)),
    ],
)
def test_the_interval_is_a_week_divided_by_its_entries(ages_in_hours: list[float | None], interval: timedelta) -> None:
    published = [None if age is None else NOW - age * HOUR for age in ages_in_hours]
    assert RHYTHM.interval(published, NOW) == interval


@given(st.lists(st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))), max_size=50))
def test_the_interval_stays_between_five_minutes_and_a_day(published: list[datetime | None]) -> None:
    assert timedelta(minutes=5) <= RHYTHM.interval(published, NOW) <= timedelta(hours=24)


def test_the_wait_is_the_longer_of_both_wishes_and_capped() -> None:
    assert RHYTHM.wait(HOUR, None, NOW) == HOUR
    assert RHYTHM.wait(HOUR, NOW + timedelta(minutes=5), NOW) == HOUR
    assert RHYTHM.wait(HOUR, NOW + 3 * HOUR, NOW) == 3 * HOUR
    assert RHYTHM.wait(HOUR, NOW + 300 * HOUR, NOW) == 24 * HOUR


@given(st.integers(1, 10_000), st.floats(0, 1e9))
def test_backoff_is_between_an_hour_and_a_day_whatever_is_asked(failures: int, asked: float) -> None:
    assert HOUR <= RHYTHM.backoff(failures, asked) <= 24 * HOUR


def test_a_redirect_that_changes_its_target_is_counted_anew() -> None:
    polling, new = RHYTHM.follow(Polling(), "https://a.example/1", NOW)
    polling, new = RHYTHM.follow(polling, "https://a.example/2", NOW + 30 * HOUR)
    polling, new = RHYTHM.follow(polling, "https://a.example/2", NOW + 31 * HOUR)
    polling, new = RHYTHM.follow(polling, "https://a.example/2", NOW + 32 * HOUR)
    assert new is None
    polling, new = RHYTHM.follow(polling, "https://a.example/2", NOW + 60 * HOUR)
    assert new == "https://a.example/2"
    assert polling == Polling()


def test_a_redirect_that_ends_is_forgotten() -> None:
    polling, _ = RHYTHM.follow(Polling(), "https://a.example/1", NOW)
    assert RHYTHM.follow(polling, None, NOW) == (Polling(), None)


def test_a_304_updates_each_header_that_it_sends_and_keeps_the_other() -> None:
    known = Polling(etag="a", last_modified="m", failures=3)
    assert RHYTHM.after_success(known, etag="b", last_modified=None, not_modified=True) == Polling(
        etag="b", last_modified="m", fetched_once=True
    )
    assert RHYTHM.after_success(known, etag=None, last_modified=None, not_modified=False) == Polling(fetched_once=True)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError):
        Rhythm.model_validate({"shortets": "5m"})
