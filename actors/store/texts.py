"""A story's text and facts for the AI step and the insights."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from actors.ai.protocol import Story
from actors.store import overlays
from actors.store.statements import SQL
from zeke_jobs import Reject

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from actors.store.overlays import Overlay


@dataclass(frozen=True, slots=True)
class StoryText:
    """A story with its text.

    Attributes:
        id: The story's id.
        title: Its headline, may be empty.
        kind: article, video, podcast, pdf or tweet.
        document: Markdown from extraction, else the plain text; may be empty.
        description: Its page's own description; may be empty.
        language: Language code of the text, or None.
        duration_seconds: Length of a video or podcast, or None.
        source: Name of its source.
        authority: The source's authority, 0 to 1, or None.
        age_days: Whole days since it was published, or else found.
        happened_at: Time of publication, or else of the find.
        overlay: Its analysis, brief and summary as they were when it was read.
    """

    id: UUID
    title: str
    kind: str
    document: str
    description: str
    language: str | None
    duration_seconds: int | None
    source: str
    authority: float | None
    age_days: int
    happened_at: datetime
    overlay: Overlay

    def for_ai(self) -> Story:
        """The story in the AI step's form."""
        return Story(
            id=self.id,
            title=self.title,
            document=self.document,
            description=self.description,
            language=self.language,
            source=self.source,
            authority=self.authority,
            age_days=float(self.age_days),
        )


def read(conn: Connection, story_id: UUID) -> StoryText | None:
    """The story, or None if it does not exist (any more)."""
    row = SQL.one(conn, "story_text", story_id=story_id)
    if row is None:
        return None
    return StoryText(**{one.name: row[one.name] for one in fields(StoryText)[:-1]}, overlay=overlays.of_row(row))


def needed(conn: Connection, story_id: UUID) -> StoryText:
    """The story.

    Raises:
        Reject: it does not exist (any more).
    """
    if (text := read(conn, story_id)) is None:
        raise Reject(f"expected a story with id {story_id}, got none")
    return text


def hold(conn: Connection, story_id: UUID) -> None:
    """Lock the story against other writers until the transaction ends; lock it before its overlay.

    Raises:
        Reject: it does not exist (any more).
    """
    if SQL.one(conn, "story_hold", story_id=story_id) is None:
        raise Reject(f"expected a story with id {story_id}, got none")
