"""Hosts, the Engine and models wait in one way: a refusal is a rest in one table, which every job keeps."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from actors import waiting
from actors.ai.protocol import CallEnd, CallStart
from actors.store.ai_calls import ledger
from tests.actors.database import execute
from zeke_jobs import Defer


def test_a_model_that_asks_for_patience_is_asked_by_no_job_until_then(handler_context: Any, conn: Any) -> None:
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


@pytest.mark.parametrize(
    ("failures", "asked", "hours"), [(1, None, 1), (2, None, 2), (9, None, 6), (2, 10_800, 3), (2, 999_999, 24)]
)
def test_a_delay_doubles_up_to_the_longest_or_is_what_was_asked(failures: int, asked: float | None, hours: int) -> None:
    hour = timedelta(hours=1)
    assert waiting.grown(failures, hour, 6 * hour, asked) == hours * hour
