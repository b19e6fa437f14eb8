"""The long run works briefly, and its figures are evaluated."""

from dataclasses import replace

import pytest

from tests.lab import server
from tests.lab.endure.__main__ import Minute, Plan, complaints, endure

STEADY = Minute(500, 3, 120_000, 60_000_000, 40_000_000, 100, 2, 30_000_000)
PLAN = Plan(minutes=15)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        ([STEADY] * 15, []),
        ([STEADY] * 7 + [replace(STEADY, done=440)] + [STEADY] * 7, ["minute 8: 440 jobs a second ended, 500 were sent"]),
        ([replace(STEADY, done=300)] + [STEADY] * 14, []),  # The workers start in the first minute.
        ([replace(STEADY, indexes=n * 10_000_000) for n in range(1, 16)], ["the indexes of jobs grew from 100 to 150 MB in the last third"]),
        ([STEADY] * 3, ["too short to tell whether tables grow: 15 minutes would do"]),
    ],
    ids=["steady", "a slower minute", "a slower first minute", "growth to the end", "too short"],
)  # fmt: skip
def test_what_is_not_steady_is_named(minutes: list[Minute], said: list[str]) -> None:
    assert complaints(minutes, PLAN) == said


@pytest.mark.acceptance
@pytest.mark.timeout(120)
def test_a_short_run_sees_each_second_what_was_sent() -> None:
    seen: list[Minute] = []
    with server.start() as started:
        found = endure(started, Plan(minutes=4, rate=20, keep=600, every=2.0), seen.append)
    assert seen == found
    # Jobs sent in the last second may not have ended, but all others have.
    assert all(minute.rows >= minute.done * 2 for minute in found)
    assert found[-1].rows - found[0].rows == pytest.approx(3 * 2 * 20, abs=20)
    assert found[-1].behind <= 20
    assert found[-1].wal > 0
