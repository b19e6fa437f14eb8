"""Retry-After is parsed in one place for all senders; no server can ask for more than a day."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.ai.openai.client import wait_seconds
from actors.retry_after import LONGEST_WAIT, retry_after

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("Sun, 01 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 01 Nov 2026 13:01:00 +0100", 60),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("\u0661\u0662", None),
    ],
)
def test_it_is_read_as_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    "value", ["86401", "999999999", "9" * 99, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"]
)
def test_nobody_asks_for_more_than_a_day(value: str) -> None:
    assert retry_after(value, NOW) in {LONGEST_WAIT, None}
    assert wait_seconds({"retry-after": value}) in {LONGEST_WAIT, None}
    assert retry_after(value.replace(" -1200", " GMT"), NOW) == LONGEST_WAIT


@given(st.one_of(st.text(max_size=120), st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,7} [\d:. +-]{0,30}")))
def test_nothing_makes_the_reader_raise(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
