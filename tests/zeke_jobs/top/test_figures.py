"""Numbers in six characters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.zeke_jobs.top.sample import NOW
from zeke_jobs.top import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0, ""), (0.25, "0.2"), (7, "7"), (9.6, "9.6"), (56.4, "56"), (1234, "1,234"), (9999, "9,999"), (56_730, "56.7k"),
     (1_234_567, "1.2M"), (2.5e9, "2.5G")],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert figures.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0042, "4ms"), (1.44, "1.4s"), (12.6, "12s"), (200, "3m20s"), (7800, "2h10m")]
)
def test_seconds(value: float | None, text: str) -> None:
    assert figures.seconds(value) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (None, ""),
        ({"note": "page 3"}, "page 3"),
        ({"done": 3}, "3"),
        ({"done": 3, "total": 10, "note": "pages"}, "██░░░░░░ 3/10 pages"),
        ({"done": 12, "total": 10}, "████████ 12/10"),
        ({"done": 0, "total": 0}, "0"),
        ({"done": "many", "total": [3], "note": "?"}, "many/[3] ?"),
        ({"done": 10**20, "total": 1}, "100000000000000000000/1"),
    ],
)
def test_progress(said: dict[str, Any] | None, text: str) -> None:
    assert figures.progress(said) == text


def test_a_time_of_another_day_has_its_day() -> None:
    assert figures.day_and_clock(NOW, NOW) == "12:00:00"
    assert figures.day_and_clock(NOW + timedelta(days=1), NOW) == "03-11 12:00"
