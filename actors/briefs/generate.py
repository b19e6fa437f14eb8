"""generate-brief: a story in one line, in two sentences and as an elevator pitch."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from actors.ai.markdown import prose
from actors.ai.protocol import Analyst, answered
from actors.ai.words import count
from actors.briefs.digest import write_digest
from actors.briefs.limits import enforce, seconds, time_saved_seconds
from actors.schema import GenerateBrief
from actors.store import overlays, texts
from actors.store.ai_calls import ledger
from actors.store.overlays import kept
from zeke_jobs import Context, Reject


class BriefSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of generate-brief.

    Attributes:
        words_per_minute: Reading speed, from which the saved time is computed.
        digest_entries: Most events in a digest.
    """

    words_per_minute: int = Field(default=200, ge=50, le=1000)
    digest_entries: int = Field(default=10, ge=1, le=100)


def generate_brief(payload: GenerateBrief, ctx: Context[BriefSettings]) -> dict[str, Any]:
    """Write the story's brief within its limits, unless a person wrote or edited it; or the digest of a period.

    Raises:
        Reject: there is no such story, or it has no text.
        Retry, Defer: the provider asked to wait.
        WaitFor: a batch asks the question, together with others.
        Unfounded: a model twice gave statements that the story does not support. The stored text is extractive, and labelled so.
    """
    if payload.story_id is None:
        with ctx.transaction() as tx:
            _, output = write_digest(tx, payload, ctx.settings.digest_entries)
            ctx.complete(output)
        return output
    return _brief_story(payload, payload.story_id, ctx)


def _brief_story(payload: GenerateBrief, story_id: UUID, ctx: Context[BriefSettings]) -> dict[str, Any]:
    text = texts.needed(ctx.db, story_id)
    if not text.document.strip():
        raise Reject(f"expected a story with text, got an empty one: {story_id}")
    is_asked_for = payload.reason != "new_story"
    if stays := kept(text.overlay.author("brief"), is_asked_for=is_asked_for):
        return {"outcome": stays}
    analyst: Analyst = ctx.service("ai")
    books = ledger(ctx, text.id, is_fresh=payload.reason == "regenerate", is_awaited=is_asked_for)
    brief, unfounded = answered(lambda: analyst.brief(text, books))
    brief = enforce(brief)
    saved = time_saved_seconds(_reading_seconds(text, ctx.settings), brief, ctx.settings.words_per_minute)
    with ctx.transaction() as tx:
        parts = {"one_liner": brief.one_liner, "two_liner": brief.two_liner, "elevator": brief.elevator}
        told = parts, brief.made_by
        stays, changed = overlays.save(
            tx, story_id, text.overlay, "brief", *told, is_asked_for=is_asked_for, time_saved_seconds=saved
        )
        output: dict[str, Any] = {"outcome": stays or ("written" if changed else "unchanged")}
        if not stays:
            missing = [name for name, part in parts.items() if part is None]
            output |= {"missing": missing, "time_saved_seconds": saved}
        if unfounded is None:
            ctx.complete(output)
    if unfounded is not None:
        raise unfounded
    return output


def _reading_seconds(text: texts.StoryText, settings: BriefSettings) -> float:
    if text.kind in {"video", "podcast"} and text.duration_seconds:
        return float(text.duration_seconds)
    return seconds(count(prose(text.document)), settings.words_per_minute)
