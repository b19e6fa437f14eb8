"""Runs analyze-story, which says why a story matters, finds other stories of its event, and sends further tasks."""

from dataclasses import replace
from typing import Any

from psycopg2.extensions import connection as Connection

from actors import alerts
from actors.ai.composition import WORDS_PER_MINUTE, enforce, time_saved_seconds
from actors.ai.local import Analyst
from actors.ai.markdown import plain
from actors.ai.protocol import Analysis, answered
from actors.insights import events, interests
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from actors.store import clusters, overlays, texts
from actors.store.ai_calls import ledger
from actors.store.overlays import Written
from zeke_jobs import Context


def analyze_story(payload: AnalyzeStory, ctx: Context[EventSettings]) -> dict[str, Any]:
    """Analyse and embed a story, write its brief and its summary, and send further tasks for it.

    The embedding is committed first, so that another story of the same event finds this story. All other results are
    committed together. If a provider makes embeddings and no user waits, embed-story later embeds the story and finds
    its event. If no event is found, a job with the trigger ``alone`` asks a model if similar stories report the event.

    Raises:
        Reject: the story does not exist, or it has no text.
        Retry, Defer, WaitFor: the provider asked to wait, or (WaitFor) the question to the model was put into a batch.
        Unfounded: the model twice said what the story does not support. The stored analysis was made without a model.
    """
    analyst: Analyst = ctx.service("ai")
    if payload.trigger in {"grown", "alone"}:
        return _grow(payload, ctx, analyst)
    is_awaited = payload.trigger == "manual"
    text = texts.with_text(ctx.db, payload.story_id)
    books = ledger(ctx, text.id, is_fresh=is_awaited, is_awaited=is_awaited)
    embeds_later = analyst.embeds_together and not is_awaited
    made = None if embeds_later else analyst.embed(text, books)
    analysis, unfounded = answered(lambda: analyst.analyze(text, books))
    if unfounded is not None:  # the analysis is local; still ask the model for brief and summary
        analysis = replace(analysis, brief=None, summary=None)
    same_event, others = ([], []) if made is None else events.found(ctx, text, made, ctx.settings, analyst)
    with ctx.transaction() as tx:
        clusters.unite(tx, [text.id, *same_event])  # this also locks the event against other changes and scoring
        found, told_by = overlays.of_event(tx, text.id)
        # The score assumes one source, but the event may have more.
        if score := analyst.rescore(analysis.chili, analysis.breakdown, told_by):
            analysis = replace(analysis, chili=score[0], breakdown=score[1])
        outcome = _save(ctx, tx, text, analysis, found.pop(text.id), is_asked_for=is_awaited)
        interests.apply(tx, text, ctx.settings.interests)
        events.rescore(tx, found, analyst, told_by)
        if embeds_later:  # embed-story will find the event
            ctx.send("embed-story", {"story_id": str(text.id)}, batch=ctx.batch_id)
        else:
            alerts.raise_for(ctx, tx, text.id)
        events.ask_later(ctx, analyst, text.id, others)
        output = {"outcome": outcome, "state": analysis.state, "chili": analysis.chili, "same_event": len(same_event)}
        if unfounded is None:
            ctx.complete(output)
    if unfounded is not None:
        raise unfounded
    return output


def _grow(payload: AnalyzeStory, ctx: Context[EventSettings], analyst: Analyst) -> dict[str, Any]:
    """Ask a model whether one of the payload's ``others`` reports the story's event, and score the event again."""
    text = texts.needed(ctx.db, payload.story_id)
    told = None
    if analyst.same_event and payload.others:
        known = texts.read_all(ctx.db, payload.others)
        if others := [known[each] for each in payload.others if each in known]:
            told = analyst.same_event(text, others, ledger(ctx, text.id, is_awaited=False))
    with ctx.transaction() as tx:
        changed = events.join(ctx, tx, text, [told.id] if told else [], analyst, ctx.settings.interests)
        output = {"outcome": "rescored" if changed else "unchanged", "stories": changed}
        ctx.complete(output)
    return output


def _save(
    ctx: Context[EventSettings],
    tx: Connection,
    text: texts.StoryText,
    analysis: Analysis,
    seen: overlays.Overlay,
    *,
    is_asked_for: bool,
) -> str:
    """Store an analysis, its brief and its summary, send the story's next tasks, and return the outcome."""
    pace: int = getattr(ctx.settings_of("generate-brief"), "words_per_minute", WORDS_PER_MINUTE)
    brief, summary = analysis.brief and enforce(analysis.brief), analysis.summary
    if brief and analysis.state == "completed" and not any(brief.parts.values()):
        brief = None
    new: dict[overlays.Part, Written] = {"analysis": Written(analysis.made_by, (analysis.why_it_matters,))}
    if brief:
        new["brief"] = Written(brief.made_by, tuple(brief.parts.values()))
    if summary and summary.text is not None:
        new["summary"] = Written(summary.made_by, (summary.text,))
    cited = {
        "chili": analysis.chili,
        "breakdown": dict(analysis.breakdown),
        "quotes": [{"text": plain(text.document[at:end]), "start": at, "end": end} for at, end in analysis.quotes],
        "why": None if analysis.why_it_matters else "only a model says why a story matters",
    }
    saved = time_saved_seconds(text.reading_seconds(pace), brief, pace) if brief else None
    told: dict[str, Any] = {"analysis": analysis, "cited": cited, "time_saved_seconds": saved}
    stays, changed = overlays.save(tx, text.id, new, seen, is_asked_for=is_asked_for, **told)
    ctx.send("extract-highlights", {"story_id": str(text.id), "user_id": "system"})
    if brief is None:
        ctx.send("generate-brief", {"story_id": str(text.id), "reason": "new_story"}, batch=ctx.batch_id)
    if summary is None:
        ctx.send("story-summarize", {"story_id": str(text.id), "mode": "auto"})
    return stays or ("analyzed" if changed else "unchanged")
