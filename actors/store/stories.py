"""Stories: one for each text, found again by address, by text, and by similarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

_MOST_CANDIDATES = 50


@dataclass(frozen=True)
class Candidate:
    """A story that may be a near duplicate."""

    story_id: UUID
    signature: list[int]
    text: str


def hold_alike(conn: Connection, keys: Sequence[str], bands: Sequence[int]) -> None:
    """Let no other worker file a text with one of the keys or bands, until the end of the transaction.

    Call it before the search for similar stories, and before any other lock on stories.
    """
    SQL.one(conn, "story_filing_hold", keys=list(keys), bands=list(bands))


def by_keys(conn: Connection, keys: Sequence[str]) -> UUID | None:
    """The oldest story with one of the keys."""
    found = SQL.value(conn, "story_by_keys", keys=list(keys))
    return None if found is None else UUID(str(found))


def claimed(conn: Connection, keys: Sequence[str]) -> list[Candidate]:
    """The stories with one of the keys, oldest first, for comparison."""
    return [_candidate(row) for row in SQL.all(conn, "story_claimed", keys=list(keys))]


def add_keys(conn: Connection, story_id: UUID, keys: Sequence[str]) -> None:
    """Let a story be found by further keys."""
    SQL.run(conn, "story_keys_add", story_id=str(story_id), keys=sorted(keys))


def add(
    conn: Connection,
    content_id: UUID,
    *,
    source_id: UUID,
    title: str,
    kind: str,
    url: str | None,
    published_at: datetime | None,
) -> UUID:
    """Make a story of a stored content."""
    added = SQL.value(
        conn,
        "story_add",
        content_id=str(content_id),
        source_id=str(source_id),
        title=title,
        kind=kind,
        primary_url=url,
        published_at=published_at,
    )
    return UUID(str(added))


def edit(conn: Connection, story_id: UUID, *, title: str) -> bool:
    """Set the new title of an edited article, unless a person gave it one; returns whether that changed anything."""
    return SQL.run(conn, "story_edit", story_id=str(story_id), title=title) > 0


def sign(conn: Connection, story_id: UUID, signature: Sequence[int], bands: Sequence[int]) -> None:
    """Store the data that find near duplicates of a story."""
    SQL.run(conn, "story_signature_put", story_id=str(story_id), signature=list(signature), bands=list(bands))


def candidates(conn: Connection, story_id: UUID, bands: Sequence[int]) -> list[Candidate]:
    """Other stories that share a band, newest first."""
    rows = SQL.all(conn, "story_candidates", story_id=str(story_id), bands=list(bands), most=_MOST_CANDIDATES)
    return [_candidate(row) for row in rows]


def _candidate(row: dict[str, Any]) -> Candidate:
    return Candidate(UUID(str(row["story_id"])), row["signature"], row["text_body"] or "")
