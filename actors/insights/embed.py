"""Runs embed-story, which gets the embeddings of many stories by one request to the provider, and finds their events."""

from actors import alerts
from actors.ai.local import Analyst
from actors.ai.protocol import Embedding
from actors.insights import events
from actors.insights.events import EventSettings
from actors.schema import EmbedStory
from actors.store import clusters, texts
from actors.store.ai_calls import ledger_of_chunk
from zeke_jobs import ChunkContext, Reject
from zeke_jobs.errors import ClaimLost


def embed_story(payloads: list[EmbedStory], ctx: ChunkContext) -> None:
    """Embed stories, and put each story into its event.

    If the provider refuses a story, only the job of this story fails, and the story has no event until the job is retried.

    Raises:
        Retry, Defer, Reject: the provider failed or refused the whole request.
    """
    analyst: Analyst = ctx.service("ai")
    given = ctx.jobs[0].settings_of("analyze-story")
    settings = given if isinstance(given, EventSettings) else EventSettings()  # the task may have another handler
    by_example = any(one.like or one.unlike for one in settings.interests.teams.values())
    teams = settings.interests if by_example else None  # the analysis has scored the words already
    found = texts.read_all(ctx.jobs[0].db, [payload.story_id for payload in payloads])
    known = {
        place: text
        for place, payload in enumerate(payloads)
        if (text := found.get(payload.story_id)) is not None and text.document.strip()
    }
    books = ledger_of_chunk(ctx, {place: story.id for place, story in known.items()})
    made = dict(zip(known, analyst.embed_many(list(known.values()), books) if known else (), strict=True))
    for place, (payload, job) in enumerate(zip(payloads, ctx.jobs, strict=True)):
        one = made.get(place, ValueError(f"expected a story with text, got none: {payload.story_id}"))
        try:
            if isinstance(one, Embedding):
                same_event, others = events.found(job, known[place], one, settings, analyst)
                with job.transaction() as tx:
                    events.join(job, tx, known[place], same_event, analyst, teams)
                    events.ask_later(job, analyst, payload.story_id, others)
                    told = {"outcome": "embedded", "model": one.model_version, "same_event": len(same_event)}
                    job.complete(told)
            else:
                ctx.fail(place, one)
                with job.transaction() as tx:
                    clusters.hold(tx, [payload.story_id])
                    alerts.raise_for(job, tx, payload.story_id)
        except ClaimLost:
            continue  # the job was cancelled and has left its chunk
        except Reject as gone:
            ctx.fail(place, gone)
