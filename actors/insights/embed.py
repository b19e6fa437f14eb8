"""Runs embed-story, which gets the embeddings of many stories by one request to the provider, and finds their events."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from actors import alerts
from actors.ai.local import Analyst, lead
from actors.ai.protocol import Embedding
from actors.insights import events, interests, relevance
from actors.insights.events import EventSettings, sketch
from actors.schema import EmbedStory
from actors.store import clusters, embeddings, overlays, texts
from actors.store.ai_calls import ledger_of_chunk
from actors.store.embeddings import Written
from actors.store.texts import StoryText
from zeke_jobs import ChunkContext, Context, Reject
from zeke_jobs.errors import ClaimLost

Ready = tuple[Written, Sequence[int]]  # the embedding and the terms of a story


def embed_story(payloads: list[EmbedStory], ctx: ChunkContext) -> None:
    """Embed stories, commit the embeddings together, and let each story join its event in its own transaction.

    If the provider refuses a story, only the job of this story fails, and the story has no event until the job is retried.

    Raises:
        Retry, Defer, Reject: the provider's verdict on the whole request.
    """
    analyst: Analyst = ctx.service("ai")
    found = texts.read_all(ctx.jobs[0].db, [payload.story_id for payload in payloads])
    every = {place: found.get(payload.story_id) for place, payload in enumerate(payloads)}
    known = {place: text for place, text in every.items() if text is not None and text.document.strip()}
    books = ledger_of_chunk(ctx, {place: story.id for place, story in known.items()})
    made = dict(zip(known, analyst.embed_many(list(known.values()), books) if known else (), strict=True))
    ready = {
        known[place].id: (embeddings.written(one.model_version, one.vector), sketch(lead(known[place])))
        for place, one in made.items()
        if isinstance(one, Embedding)
    }
    _publish(ctx, ready)
    for place, (payload, job) in enumerate(zip(payloads, ctx.jobs, strict=True)):
        one = made.get(place, ValueError(f"expected a story with text, got none: {payload.story_id}"))
        try:
            if isinstance(one, Embedding):
                _join(job, known[place], ready[payload.story_id], analyst)
            else:
                ctx.fail(place, one)
                with job.transaction() as tx:
                    alerts.raise_for(job, tx, payload.story_id)
        except ClaimLost:
            continue  # the job was cancelled and has left its chunk
        except Reject as gone:
            ctx.fail(place, gone)


def _publish(ctx: ChunkContext, ready: Mapping[UUID, Ready]) -> None:
    """Make the stories findable, in the same order each time, in the transaction of the first job that is still claimed."""
    for job in ctx.jobs if ready else ():
        with suppress(ClaimLost), job.transaction() as tx:
            for story_id in sorted(ready):
                events.publish(tx, story_id, *ready[story_id])
            return


def _join(job: Context, story: StoryText, ready: Ready, analyst: Analyst) -> None:
    """Find a story's event and score the event's stories, as analyze-story does."""
    given = job.settings_of("analyze-story")
    settings = given if isinstance(given, EventSettings) else EventSettings()  # the task may have another handler
    same_event = events.like(job.db, story, *ready, settings)
    with job.transaction() as tx:
        clusters.unite(tx, [story.id, *same_event])  # this also locks the event against other changes and scoring
        scored, told_by = overlays.of_event(tx, story.id)
        events.rescore(tx, scored, analyst, told_by)
        by_example = any(one.like or one.unlike for one in settings.interests.teams.values())
        if by_example and interests.apply(tx, story, settings.interests):
            relevance.score(tx, story.id, job.settings_of("score-relevance"))
        alerts.raise_for(job, tx, story.id)
        job.complete({"outcome": "embedded", "model": ready[0].model_version, "same_event": len(same_event)})
