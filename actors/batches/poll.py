"""Runs poll-batches, which asks the provider once for the state of all open batches."""

from typing import Any

from actors.ai.local import Analyst
from actors.ai.openai.client import CallFailed
from actors.schema import PollBatches
from actors.store.ai_calls import open_batches
from zeke_jobs import Context, emit


def poll_batches(payload: PollBatches, ctx: Context) -> dict[str, Any]:  # noqa: ARG001
    """Ask which batches have ended, and wake the jobs that wait for these batches."""
    awaited = open_batches(ctx.db)
    if not awaited:
        return {"outcome": "nothing_open"}
    analyst: Analyst = ctx.service("ai")
    try:
        ended = {} if analyst.batches is None else analyst.batches.ended(set(awaited.values()))
    except CallFailed as failure:
        raise failure.verdict from failure
    told = {event: ended[batch] for event, batch in awaited.items() if batch in ended}
    for event, facts in told.items():
        emit(event, facts, connection=ctx.db)
    return {"outcome": "polled", "open": len(awaited) - len(told), "ended": len(told)}
