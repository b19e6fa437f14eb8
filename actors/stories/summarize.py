"""story-summarize: fill a story's summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.ai.protocol import answered
from actors.schema import StorySummarize  # noqa: TC001 (the handler is read by its annotations)
from actors.store import overlays, texts
from actors.store.ai_calls import ledger
from zeke_jobs import Context, Reject

if TYPE_CHECKING:
    from actors.ai.protocol import Analyst
    from actors.store.authorship import Author


def story_summarize(payload: StorySummarize, ctx: Context) -> dict[str, Any]:
    """Summarise a story: ``auto`` where it has no summary, ``force`` also where one of unknown origin stands.

    Text that a person edited stays in both modes.

    Raises:
        Reject: there is no such story, or it has no text.
        Retry, Defer: the provider asked to wait.
        Unfounded: a model said twice what the story does not; what is stored is extractive, and labelled so.
    """
    text = texts.read(ctx.db, payload.story_id)
    overlay = overlays.read(ctx.db, payload.story_id)
    if text is None or overlay is None:
        raise Reject(f"expected a story with id {payload.story_id}, got none")
    if not text.document.strip():
        raise Reject(f"expected a story with text, got an empty one: {payload.story_id}")
    if kept := _kept(overlay.summary_author, payload.mode):
        return {"outcome": kept}
    analyst: Analyst = ctx.service("ai")
    books = ledger(ctx, text.id, is_fresh=payload.mode == "force")
    summary, unfounded = answered(lambda: analyst.summarize(text.for_ai(), books))
    if summary.text is None and unfounded is None:
        return {"outcome": "no_sentences"}
    made_by = {
        "provider": summary.made_by.provider,
        "model": summary.made_by.model,
        "prompt": summary.made_by.prompt,
    }
    with ctx.transaction() as tx:
        texts.hold(tx, text.id)
        locked = overlays.lock(tx, text.id)
        if locked is None:
            raise Reject(f"expected a story with id {payload.story_id}, got one that was deleted meanwhile")
        kept = _kept(locked.summary_author, payload.mode)
        if kept is None and summary.text is not None:
            changed = texts.save_summary(tx, text.id, summary.text, seen=locked.summary)
            noted = overlays.note_summary(tx, text.id, summary.text, made_by)
            kept = "written" if changed or noted else "unchanged"
        output = {"outcome": kept or "no_sentences"}
        if unfounded is None:
            ctx.complete(output)
    if unfounded is not None:
        raise unfounded
    return output


def _kept(author: Author, mode: str) -> str | None:
    """Why the summary that is there stays, or None."""
    if author == "person":
        return "kept_edited"
    if author == "unknown" and mode == "auto":
        return "kept_existing"
    return None
