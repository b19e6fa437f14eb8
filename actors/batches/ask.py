"""Runs ask-batch, which sends questions to the AI provider in one batch, and gives each waiting job its answer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from actors.ai.local import Analyst
from actors.ai.openai.batches import Batches
from actors.ai.openai.client import CallFailed, Reply
from actors.schema import AskBatch
from actors.store import SQL, ai_calls
from zeke_jobs import Context, Reject

_DAY = timedelta(hours=26)  # providers promise a day; a longer batch is cancelled
_HOUR = timedelta(hours=1)  # the time for a cancelled batch to end, and the largest lag of the provider's clock


def ask_batch(payload: AskBatch, ctx: Context) -> dict[str, Any]:
    """Ask questions in one batch. Each waiting job gets its answer, or the reason why it must ask the model itself.

    After a crash, no question is asked twice: the questions stay with this job, and ``ctx.step`` stores the batch's id.
    """
    analyst: Analyst = ctx.service("ai")
    asked = SQL.all(ctx.db, "ai_questions_take", batch=ctx.job_id, calls=payload.call_ids)
    provider = analyst.batches
    fit = [one for one in asked if provider is not None and one["path"] == provider.question_path]
    answers, why = dict[str, Any](), "jobs.yaml has another provider now"
    if provider is not None and fit:
        try:
            answers, why = _answers(provider, fit, ctx)
        except CallFailed as failure:
            if not isinstance(failure.verdict, Reject):
                raise failure.verdict from failure
            why = str(failure)
    replies = 0
    with ctx.transaction() as tx:
        for one in asked:
            answer = answers.get(str(one["id"]), why)
            end = (
                None
                if provider is None or isinstance(answer, str)
                else Reply(answer).end(provider.settings, one["model"])
            )
            replies += end is not None
            ai_calls.answer(tx, one["id"], answer, end)
        output = {"outcome": "answered" if asked else "nothing_to_ask", "asked": len(asked), "answered": replies}
        ctx.complete(output)
    return output


def _answers(provider: Batches, asked: Sequence[dict[str, Any]], ctx: Context) -> tuple[dict[str, Any], str]:
    """Return the answers by call id, and the reason why the other calls have no answer."""
    attempt = f"{datetime.now(UTC) - _HOUR:%Y-%m-%dT%H:%M:%S.%f}"
    began = ctx.step("begin", str, attempt)
    search = () if began == attempt else (began, set(ai_calls.open_batches(ctx.db).values()))
    questions = {str(one["id"]): one["body"] for one in asked}
    batch = ctx.step("batch", provider.create, str(ctx.job_id), questions, *search)
    end = ctx.wait_for(ai_calls.batch_end(batch), _DAY)
    if end.timed_out:
        ctx.step("cancel", provider.cancel, batch)
        end = ctx.wait_for(ai_calls.batch_end(batch, is_late=True), _HOUR)
    if end.timed_out:
        return {}, f"the batch {batch} did not end in time"
    return provider.answers(end.data), end.data["why"]
