"""Runs story-summarize, which writes a story's summary."""

from typing import Any

from actors.ai.local import Analyst
from actors.ai.protocol import answered
from actors.schema import StorySummarize
from actors.store import overlays, texts
from actors.store.ai_calls import ledger
from actors.store.overlays import Part, Written, kept
from zeke_jobs import Context


def story_summarize(payload: StorySummarize, ctx: Context) -> dict[str, Any]:
    """Summarise a story. A person's summary is never replaced, and one of unknown origin only in the mode ``force``.

    Raises:
        Reject: the story does not exist, or it has no text.
        Retry, Defer, WaitFor: the provider asked to wait, or (WaitFor) the question to the model was put into a batch.
        Unfounded: the model twice said what the story does not support. The stored summary was made without a model.
    """
    text = texts.with_text(ctx.db, payload.story_id)
    is_asked_for = payload.mode != "auto"
    if stays := kept(text.overlay.author("summary"), is_asked_for=is_asked_for):
        return {"outcome": stays}
    analyst: Analyst = ctx.service("ai")
    books = ledger(ctx, text.id, is_fresh=payload.mode == "force", is_awaited=is_asked_for)
    summary, unfounded = answered(lambda: analyst.summarize(text, books))
    output = {"outcome": "no_sentences"}
    if summary.text is not None:
        with ctx.transaction() as tx:
            new: dict[Part, Written] = {"summary": Written(summary.made_by, (summary.text,))}
            stays, changed = overlays.save(tx, text.id, new, is_asked_for=is_asked_for)
            output["outcome"] = stays or ("written" if changed else "unchanged")
            if unfounded is None:
                ctx.complete(output)
    if unfounded is not None:
        raise unfounded
    return output
