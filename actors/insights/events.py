"""Stories of one event: united when one is analysed, and scored by how many sources tell of it, in whatever order they came."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from actors.store import clusters, embeddings, overlays

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from actors.ai.protocol import Analyst
    from actors.store.embeddings import Written
    from actors.store.texts import StoryText


class EventSettings(BaseModel):
    """When two stories tell of one event; part of the settings of analyze-story.

    Attributes:
        same_event_cosine: From this cosine on, two stories of ``same_event_hours`` tell of one event.
        same_event_hours: How far apart in time two stories of one event may be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    same_event_cosine: float = Field(default=0.6, gt=0, le=1)
    same_event_hours: float = Field(default=72, ge=0)


def join(tx: Connection, text: StoryText, embedding: Written, settings: EventSettings) -> int:
    """Unite the story with those of the same event; how many they are."""
    clusters.hold(tx)
    since, until = _around(text.happened_at, timedelta(hours=settings.same_event_hours))
    near = embeddings.nearest(
        tx,
        text.id,
        embedding,
        since=since,
        until=until,
        least=settings.same_event_cosine,
    )
    if near:
        clusters.unite(tx, [text.id, *(neighbour.story_id for neighbour in near)])
    return len(near)


def _around(moment: datetime, window: timedelta) -> tuple[datetime, datetime]:
    """A window around a moment; around one at the end of all time, such as the year 1, there is none but itself."""
    try:
        return moment - window, moment + window
    except OverflowError:
        return moment, moment


def rescore(tx: Connection, story_id: UUID, analyst: Analyst, sources: int) -> int:
    """Score all stories of a story's event by how many sources tell of it by now; how many changed.

    Call it while ``clusters.hold`` is held, so that the last who joined the event has the last word. A score that a
    model or a person gave stays.
    """
    changed = 0
    for member, citations in overlays.of_event(tx, story_id):
        score = analyst.rescore(citations.get("chili"), citations.get("breakdown") or {}, sources)
        if score is not None:
            changed += overlays.cite(tx, member, {"chili": score[0], "breakdown": dict(score[1])})
    return changed


def grow(tx: Connection, story_id: UUID, analyst: Analyst) -> dict[str, Any]:
    """One more source tells of the event, by a copy of a text that is known: its sources are counted and it is scored anew."""
    clusters.hold(tx)
    cluster = clusters.of_story(tx, story_id)
    if cluster is not None:
        clusters.lead(tx, cluster)
    changed = rescore(tx, story_id, analyst, clusters.sources(tx, story_id))
    return {"outcome": "rescored" if changed else "unchanged", "stories": changed}
