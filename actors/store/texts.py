"""Reads a story's text and data for the AI step and the insights."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.ai.markdown import prose
from actors.ai.protocol import Story
from actors.ai.words import count
from actors.store import SQL, overlays
from actors.store.overlays import Overlay
from zeke_jobs import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryText(Story):
    """Describes a story from the database. The ``overlay`` has the analysis, the brief and the summary."""

    kind: str  # article, video, podcast, pdf or tweet
    duration_seconds: int | None
    happened_at: datetime  # the time of publication, or of discovery if that is unknown
    overlay: Overlay = field(hash=False)

    def reading_seconds(self, words_per_minute: int) -> float:
        """Return the seconds that it takes to read the text, or to play the video or podcast."""
        if self.kind in {"video", "podcast"} and self.duration_seconds:
            return float(self.duration_seconds)
        return count(prose(self.document)) * 60 / words_per_minute


def read(conn: Connection, story_id: UUID) -> StoryText | None:
    """Return the story, or None if it does not exist or was removed."""
    return read_all(conn, [story_id]).get(story_id)


def read_all(conn: Connection, stories: Iterable[UUID]) -> dict[UUID, StoryText]:
    """Return the stories by id. Stories that do not exist are left out."""
    rows = SQL.all(conn, "story_text", stories=sorted(set(stories)))
    names = [one.name for one in fields(StoryText)[:-1]]
    told = [StoryText(**{name: row[name] for name in names}, overlay=overlays.of_row(row)) for row in rows]
    return {story.id: story for story in told}


def needed(conn: Connection, story_id: UUID) -> StoryText:
    """Return the story. Raises Reject if the story does not exist or was removed."""
    if (text := read(conn, story_id)) is None:
        raise Reject(f"expected a story with id {story_id}, got none")
    return text


def with_text(conn: Connection, story_id: UUID) -> StoryText:
    """Return the story with its text. Raises Reject if the story does not exist, was removed, or has no text."""
    text = needed(conn, story_id)
    if not text.document.strip():
        raise Reject(f"expected a story with text, got an empty one: {story_id}")
    return text


def hold(conn: Connection, story_id: UUID) -> None:
    """Lock a story, before its overlay, until the transaction ends. Raises Reject if the story does not exist."""
    if SQL.one(conn, "story_hold", story_id=story_id) is None:
        raise Reject(f"expected a story with id {story_id}, got none")
