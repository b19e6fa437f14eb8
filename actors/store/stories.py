"""Texts of items, and stories: one for each text, found again by address, by text, and by similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_MOST_CANDIDATES = 50


@dataclass(frozen=True)
class Text:
    """The text of an item, with what its page or feed says of it.

    Attributes:
        origin: page, structured, feed, description or upload.
        choice: The way of reading that found it, and the reason for the choice.
        description: The page's own description.
        url: The address of the fetch; ``canonical`` is the page's own statement.
        duration: Seconds of a video or podcast.
    """

    text: str
    markdown: str
    origin: str
    title: str = ""
    url: str | None = None
    canonical: str | None = None
    language: str | None = None
    author: str | None = None
    published_at: datetime | None = None
    duration: float | None = None
    choice: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Stored:
    """The text that an item already has, and its story."""

    text_hash: str
    text_origin: str | None
    story_id: UUID | None


@dataclass(frozen=True)
class Candidate:
    """A story that may be a near duplicate."""

    story_id: UUID
    signature: list[int]
    text: str


def of_item(conn: Connection, item_id: UUID) -> Stored | None:
    """The item's stored text; None if it has none."""
    row = SQL.one(conn, "content_of_item", raw_item_id=item_id)
    return None if row is None else Stored(**row)


def put(
    conn: Connection, item_id: UUID, text: Text, *, text_hash: str, content_type: str, canonical_url: str | None
) -> UUID:
    """Store the text of an item, in place of its old text; returns the content's id.

    ``text_hash`` is of the normalised text, ``canonical_url`` the address that stands for the page.
    """
    told = {"text_hash": text_hash, "content_type": content_type, "canonical_url": canonical_url}
    content_id: UUID = SQL.value(conn, "content_put", raw_item_id=item_id, **vars(text), **told)
    return content_id


def hold_alike(conn: Connection, keys: Sequence[str], bands: Sequence[int]) -> None:
    """Let no other worker file a text with one of the keys or bands, until the end of the transaction.

    Call it before the search for similar stories, and before any other lock on stories.
    """
    SQL.one(conn, "story_filing_hold", keys=list(keys), bands=list(bands))


def claimed(conn: Connection, keys: Sequence[str]) -> list[Candidate]:
    """The stories with one of the keys, oldest first, for comparison."""
    return [Candidate(**row) for row in SQL.all(conn, "story_claimed", keys=list(keys))]


def candidates(conn: Connection, story_id: UUID, bands: Sequence[int]) -> list[Candidate]:
    """Other stories that share a band, newest first."""
    rows = SQL.all(conn, "story_candidates", story_id=story_id, bands=list(bands), most=_MOST_CANDIDATES)
    return [Candidate(**row) for row in rows]


def add(
    conn: Connection,
    content_id: UUID,
    text: Text,
    *,
    source_id: UUID,
    kind: str,
    url: str | None,
    keys: Sequence[str],
    signature: Sequence[int],
    bands: Sequence[int],
) -> UUID:
    """Make a story of a stored text. It is found by ``keys``, and by ``signature`` and ``bands`` where it is similar."""
    found_by = {"keys": list(keys), "signature": list(signature), "bands": list(bands)}
    told = {"source_id": source_id, "kind": kind, "url": url, "title": text.title, "published_at": text.published_at}
    story_id: UUID = SQL.value(conn, "story_add", content_id=content_id, **told, **found_by)
    return story_id
