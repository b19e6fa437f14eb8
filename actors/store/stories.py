"""Stores the texts of items, and one story for each text. A story is found again by address, by text, and by similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import SQL
from zeke_jobs.postgres.queries import Row

_MOST_CANDIDATES = 50


@dataclass(frozen=True)
class Text:
    """Holds the text of an item, with the data about the text in the item's page or feed."""

    text: str
    markdown: str
    origin: str  # page, structured, feed, description, upload, transcript
    title: str = ""
    url: str | None = None  # the address that was fetched
    canonical: str | None = None  # the address that the page declares
    language: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    duration: float | None = None  # in seconds
    choice: str | None = None  # the reason for choosing this text
    description: str | None = None


def of_item(conn: Connection, item_id: UUID) -> Row | None:
    """Return ``text_hash`` and ``text_origin`` of an item's stored text, and its ``story_id``, or None without a text."""
    return next(iter(SQL.named(conn, "content_of_item", raw_item_id=item_id)), None)


def candidates(conn: Connection, story_id: UUID, bands: Sequence[int]) -> list[Row]:
    """Return ``story_id`` and ``text`` of stories that share MinHash bands with a story, most shared bands first."""
    return SQL.named(conn, "story_candidates", story_id=story_id, bands=list(bands), most=_MOST_CANDIDATES)
