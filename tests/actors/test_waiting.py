"""Jobs wait for hosts, the Engine and models in the same way: a table stores each pause, and all jobs obey it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors import waiting
from actors.ai.openai.client import wait_seconds
from actors.ai.protocol import CallEnd, CallStart
from actors.retry_after import LONGEST_WAIT, retry_after
from actors.store.ai_calls import ledger
from tests.actors.database import execute
from zeke_jobs import Defer


def test_who_asks_for_patience_is_asked_by_no_job_until_then(handler_context: Any, conn: Any) -> None:
    call, story = CallStart("analyze", "large-1", "analyze-3", 0.01), uuid.uuid4()
    books = ledger(handler_context(), story)
    refused = books.begin(call, "a question")
    books.settle(refused.id, CallEnd("rate_limited", "429: slow down", is_charged=False, rests=("large-1", 600.0)))
    assert [(row["who"], row["why"]) for row in waiting.now(conn)] == [("model/large-1", "429: slow down")]
    with pytest.raises(Defer, match=r"model/large-1 is left alone until .* slow down"):
        ledger(handler_context(), story).begin(call, "a question")
    ledger(handler_context(), story).begin(CallStart("analyze", "small-1", "analyze-3", 0.01), "another")
    execute(conn, "UPDATE rests SET until = zeke_jobs.now()")
    books.begin(call, "a question")
    assert execute(conn, "SELECT count(*) FROM ai_calls") == [(3,)]
    execute(conn, "DELETE FROM rests")
    for seconds in (30 * 86_400, 60):
        waiting.rest(handler_context(), "host/a.example", seconds, "busy")
        ((who, until, why),) = [row.values() for row in waiting.now(conn)]
        assert (who, why) == ("host/a.example", "busy")
        assert timedelta(hours=23) < until - datetime.now(UTC) < timedelta(hours=25)
    assert waiting.now(conn, ["host/b.example"]) == []


def test_a_delay_doubles_up_to_the_longest_or_is_what_was_asked() -> None:
    hour = timedelta(hours=1)
    for failures, asked, hours in ((1, None, 1), (2, None, 2), (9, None, 6), (2, 10_800, 3), (2, 999_999, 24)):
        assert waiting.grown(failures, hour, 6 * hour, asked) == hours * hour


NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
ASKED = {"120": 120, " 1.5 ": 1.5, "soon": None, "-1": None, "": None, "\u0661\u0662": None}
DATES = {"12:01:00 GMT": 60, "13:01:00 +0100": 60, "11:00:00 GMT": 0}
FAR = ["86401", "999999999", "9" * 99, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"]


def test_it_is_read_as_seconds_and_as_a_date_and_nobody_asks_for_more_than_a_day() -> None:
    for value, seconds in (ASKED | {f"Sun, 01 Nov 2026 {time}": wait for time, wait in DATES.items()}).items():
        assert retry_after(value, NOW) == seconds, value
    for value in FAR:
        assert retry_after(value, NOW) in {LONGEST_WAIT, None}
        assert wait_seconds({"retry-after": value}) in {LONGEST_WAIT, None}
        assert retry_after(value.replace(" -1200", " GMT"), NOW) == LONGEST_WAIT


@given(st.one_of(st.text(max_size=120), st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,7} [\d:. +-]{0,30}")))
def test_nothing_makes_the_reader_raise(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT
