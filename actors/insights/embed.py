"""embed-story: the embeddings of many stories by one request to the provider."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from actors.ai.local import lead
from actors.ai.openai.answers import packed, unpacked
from actors.ai.protocol import Analyst, Embedding
from actors.insights import events
from actors.insights.sketch import sketch
from actors.schema import EmbedStory
from actors.store import embeddings, texts
from actors.store.ai_calls import ledger
from zeke_jobs import ChunkContext, Context, WaitFor, emit
from zeke_jobs.errors import ClaimLost

_LONGEST = timedelta(hours=6)
"""An analysis that waits longer embeds its story itself."""


def embed_story(payloads: list[EmbedStory], ctx: ChunkContext) -> None:
    """Embed stories. Each is stored, told to the analysis that waits for it, and completed in a transaction of its own.

    If the provider leaves out or refuses a story, only that story's job fails; its analysis then asks for the embedding in a
    request of its own.

    Raises:
        Retry, Defer, Reject: the provider's verdict on the whole request.
    """
    analyst: Analyst = ctx.service("ai")
    conn = ctx.jobs[0].db
    found = [texts.read(conn, payload.story_id) for payload in payloads]
    known = {place: text for place, text in enumerate(found) if text is not None and text.document.strip()}
    books = [ledger(ctx.jobs[place], story.id, conn=conn) for place, story in known.items()]
    made = dict(zip(known, analyst.embed_many(list(known.values()), books), strict=True))
    for place, (payload, job) in enumerate(zip(payloads, ctx.jobs, strict=True)):
        one = made.get(place, ValueError(f"expected a story with text, got none: {payload.story_id}"))
        with suppress(ClaimLost), job.transaction() as tx:  # a job that was cancelled leaves its chunk
            if isinstance(one, Embedding):
                story, told = known[place], {"model": one.model_version, "vector": packed(list(one.vector))}
                events.publish(tx, story.id, embeddings.written(one.model_version, one.vector), sketch(lead(story)))
                job.complete({"outcome": "embedded", "model": one.model_version})
            else:
                told = {"refused": str(one)}
                ctx.fail(place, one)
            if payload.job_id is not None:
                emit(_event(payload.job_id), told, connection=tx)


def awaited(ctx: Context[Any], story_id: UUID) -> Embedding | None:
    """The embedding of a story, stored by embed-story; None if it refused it: then the analysis asks by itself.

    Raises:
        WaitFor: embed-story has not answered yet.
    """
    event = ctx.event(_event(ctx.job_id))
    if event is not None:
        told = event.data or {}
        return Embedding(tuple(unpacked(told["vector"])), told["model"]) if "vector" in told else None
    # By the same id a second time after a crash, which sends no second job.
    asked = {"story_id": str(story_id), "job_id": str(ctx.job_id)}
    ctx.send("embed-story", asked, id=uuid5(ctx.job_id, "embed-story"))
    raise WaitFor(_event(ctx.job_id), _LONGEST)


def _event(job: Any) -> str:
    return f"embedding/{job}"
