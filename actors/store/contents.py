"""The text of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class Content:
    """The stored text of an item.

    Attributes:
        text_hash: Hash of the normalised text.
        text_origin: page, structured, feed, description or upload.
        text_choice: The way of reading that found it, and the reason for the choice.
        description: The page's own description.
        canonical_url: The address that stands for the page; ``final_url`` is the address of the fetch.
    """

    text: str
    text_hash: str
    text_origin: str
    content_type: str = "text"
    markdown: str | None = None
    language: str | None = None
    canonical_url: str | None = None
    final_url: str | None = None
    author: str | None = None
    text_choice: str | None = None
    description: str | None = None
    duration_seconds: int | None = None


@dataclass(frozen=True)
class Stored:
    """The content that an item already has, and its story."""

    id: UUID
    text_hash: str
    story_id: UUID | None


def of_item(conn: Connection, item_id: UUID) -> Stored | None:
    """The item's stored content; None if it has none."""
    row = SQL.one(conn, "content_of_item", raw_item_id=str(item_id))
    return None if row is None else Stored(row["id"], row["content_hash"], row["story_id"])


def put(conn: Connection, item_id: UUID, content: Content) -> UUID:
    """Store the text of an item, in place of its old text."""
    row = SQL.one(
        conn,
        "content_put",
        raw_item_id=str(item_id),
        content_type=content.content_type,
        text_body=content.text,
        html_url=content.final_url,
        language_code=content.language,
        content_hash=content.text_hash,
        duration_seconds=content.duration_seconds,
    )
    assert row is not None
    SQL.run(
        conn,
        "content_detail_put",
        content_id=str(row["id"]),
        markdown=content.markdown,
        canonical_url=content.canonical_url,
        final_url=content.final_url,
        author=content.author,
        text_origin=content.text_origin,
        text_choice=content.text_choice,
        description=content.description,
    )
    return UUID(str(row["id"]))
