"""Runs generate-brief, which sums up a story in one line, in two sentences and as an elevator pitch."""

from typing import Any

from pydantic import BaseModel, Field

from actors.ai.composition import WORDS_PER_MINUTE, enforce, time_saved_seconds
from actors.ai.local import Analyst
from actors.ai.protocol import answered
from actors.briefs.digest import write_digest
from actors.schema import GenerateBrief
from actors.store import overlays, texts
from actors.store.ai_calls import ledger
from actors.store.overlays import Part, Written, kept
from zeke_jobs import Context


class BriefSettings(BaseModel, frozen=True, extra="forbid"):
    """Defines the settings of generate-brief.

    Attributes:
        words_per_minute: The reading speed, from which the saved time is computed.
        digest_entries: The maximum number of events in a digest.
    """

    words_per_minute: int = Field(default=WORDS_PER_MINUTE, ge=50, le=1000)
    digest_entries: int = Field(default=10, ge=1, le=100)


def generate_brief(payload: GenerateBrief, ctx: Context[BriefSettings]) -> dict[str, Any]:
    """Write a story's brief, unless a person wrote or edited the brief. If the payload has a period, write a digest.

    Raises:
        Reject: the story does not exist, or it has no text.
        Retry, Defer: the provider asked to wait.
        WaitFor: the question to the model was put into a batch, and the job waits for its answer.
        Unfounded: the model twice said what the story does not support. The stored brief was made without a model.
    """
    output: dict[str, Any]
    if payload.story_id is None:
        with ctx.transaction() as tx:
            _, output = write_digest(tx, payload, ctx.settings.digest_entries)
            ctx.complete(output)
        return output
    text = texts.with_text(ctx.db, payload.story_id)
    is_asked_for = payload.reason != "new_story"
    if stays := kept(text.overlay.author("brief"), is_asked_for=is_asked_for):
        return {"outcome": stays}
    analyst: Analyst = ctx.service("ai")
    books = ledger(ctx, text.id, is_fresh=payload.reason == "regenerate", is_awaited=is_asked_for)
    brief, unfounded = answered(lambda: analyst.brief(text, books))
    brief = enforce(brief)
    pace = ctx.settings.words_per_minute
    saved = time_saved_seconds(text.reading_seconds(pace), brief, pace)
    with ctx.transaction() as tx:
        new: dict[Part, Written] = {"brief": Written(brief.made_by, tuple(brief.parts.values()))}
        stays, changed = overlays.save(tx, text.id, new, is_asked_for=is_asked_for, time_saved_seconds=saved)
        output = {"outcome": stays or ("written" if changed else "unchanged")}
        if not stays:
            missing = [name for name, part in brief.parts.items() if part is None]
            output |= {"missing": missing, "time_saved_seconds": saved}
        if unfounded is None:
            ctx.complete(output)
    if unfounded is not None:
        raise unfounded
    return output
