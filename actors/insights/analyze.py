"""analyze-story: say why a story matters, place it among its neighbours, and start what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from actors.ai.markdown import plain
from actors.schema import AnalyzeStory  # noqa: TC001 (the handler is read by its annotations)
from actors.store import clusters, embeddings, overlays, texts
from actors.store.ai_calls import ledger
from actors.store.authorship import mark
from zeke_jobs import Context, Reject

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from actors.ai.protocol import Analysis, Analyst, Embedding


class AnalyzeSettings(BaseModel):
    """Settings of analyze-story.

    Attributes:
        same_event_cosine: From this cosine on, two stories of ``same_event_hours`` tell of one event.
        same_event_hours: How far apart in time two stories of one event may be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    same_event_cosine: float = Field(default=0.6, gt=0, le=1)
    same_event_hours: float = Field(default=72, ge=0)


def analyze_story(payload: AnalyzeStory, ctx: Context[AnalyzeSettings]) -> dict[str, Any]:
    """Analyse and embed a story; then send extract-highlights, generate-brief and story-summarize.

    Overlay, embedding, cluster, the three jobs and the completion commit together.

    Raises:
        Reject: there is no such story, or it has no text.
        Retry, Defer: the provider asked to wait.
    """
    text = texts.read(ctx.db, payload.story_id)
    if text is None:
        raise Reject(f"expected a story with id {payload.story_id}, got none")
    if not text.document.strip():
        raise Reject(f"expected a story with text, got an empty one: {payload.story_id}")
    analyst: Analyst = ctx.service("ai")
    books = ledger(ctx, text.id, is_fresh=payload.trigger == "manual")
    story = text.for_ai()
    analysis = _verified(analyst.analyze(story, books), text.document)
    embedding = analyst.embed(story, books)
    with ctx.transaction() as tx:
        same_event = _join_event(tx, text, embedding, ctx.settings)
        overlay = overlays.lock(tx, text.id)
        if overlay is None:
            raise Reject(f"expected a story with id {payload.story_id}, got one that was deleted meanwhile")
        kept = overlay.analysis_author == "person"
        changed = overlays.save_analysis(
            tx,
            text.id,
            why_it_matters=overlay.why_it_matters if kept else analysis.why_it_matters,
            confidence=analysis.confidence,
            state=analysis.state,
            citations=_citations(analysis, None if kept else mark(analysis.why_it_matters)),
        )
        embeddings.save(tx, text.id, embedding.model_version, embedding.vector)
        story_id = str(text.id)
        ctx.send("extract-highlights", {"story_id": story_id, "user_id": "system"})
        ctx.send("generate-brief", {"story_id": story_id, "reason": "new_story"})
        ctx.send("story-summarize", {"story_id": story_id, "mode": "auto"})
        output = {
            "outcome": "kept_edited" if kept else "analyzed" if changed else "unchanged",
            "state": analysis.state,
            "chili": analysis.chili,
            "same_event": same_event,
        }
        ctx.complete(output)
    return output


def _verified(analysis: Analysis, document: str) -> Analysis:
    """The analysis without citations that do not stand in the document word for word."""
    from dataclasses import replace

    true = tuple(c for c in analysis.citations if document[c.start : c.end] == c.text)
    return analysis if len(true) == len(analysis.citations) else replace(analysis, citations=true)


def _citations(analysis: Analysis, written: str | None) -> dict[str, Any]:
    made_by = {
        "provider": analysis.made_by.provider,
        "model": analysis.made_by.model,
        "prompt": analysis.made_by.prompt,
    }
    cited: dict[str, Any] = {
        "chili": analysis.chili,
        "breakdown": dict(analysis.breakdown),
        "quotes": [{"text": plain(c.text), "start": c.start, "end": c.end} for c in analysis.citations],
    }
    if written is not None:
        cited["analysis"] = {**made_by, "written": written}
    return cited


def _join_event(tx: Connection, text: texts.StoryText, embedding: Embedding, settings: AnalyzeSettings) -> int:
    """Unite the story with those of the same event; how many they are."""
    clusters.hold(tx)
    moment = text.published_at or datetime.now(UTC) - timedelta(days=text.age_days)
    window = timedelta(hours=settings.same_event_hours)
    near = [
        neighbour.story_id
        for neighbour in embeddings.nearest(
            tx, text.id, embedding.model_version, embedding.vector, since=moment - window, until=moment + window
        )
        if neighbour.cosine >= settings.same_event_cosine
    ]
    if near:
        clusters.unite(tx, [text.id, *near])
    return len(near)
