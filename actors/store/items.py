"""Stores raw items, their texts and their outcomes (see ``actors.outcomes``)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.outcomes import IN_FLIGHT, Outcome
from actors.store import SQL, sources
from zeke_jobs.postgres.queries import Row

_AGAIN = sorted(Outcome.having("again"))


@dataclass(frozen=True)
class NewItem:
    """Describes an item of a source before it is stored. ``external_id`` identifies the item within the source."""

    external_id: str
    kind: str = "article"
    title: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """Describes a raw item from which a story can be made."""

    id: UUID
    source_id: UUID
    source_type: str
    source: str  # the name of the source
    source_url: str
    folder: tuple[str, ...]  # the folders of the source, the outermost first
    external_id: str
    kind: str
    title: str | None
    url: str | None
    published_at: datetime | None
    metadata: dict[str, Any]
    found_at: datetime
    outcome: Outcome | None  # None if another program added the item
    attempts: int  # number of temporary failures


@dataclass(frozen=True)
class Text:
    """Holds the text of an item, and its data from the page or feed, such as the author."""

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


def text_of(conn: Connection, item_id: UUID) -> Row | None:
    """Return ``text_hash``, ``text_origin`` and ``story_id`` of an item, or None if the item has no stored text."""
    return next(iter(SQL.named(conn, "content_of_item", raw_item_id=item_id)), None)


def upsert(conn: Connection, source_id: UUID, items: Sequence[NewItem]) -> dict[str, tuple[UUID, bool]]:
    """Add new items, and update edited items. Returns the ids of these items and which are new, by external id."""
    rows = [{**vars(one), "published_at": one.published_at.isoformat() if one.published_at else None} for one in items]
    found = SQL.all(conn, "items_upsert", source_id=source_id, items=Json(rows), again=_AGAIN)
    return {row["external_id"]: (row["id"], row["is_new"]) for row in found}


def add(conn: Connection, source_id: UUID, item: NewItem) -> Row:
    """Add one item unless it exists. Returns the item's ``id``, ``is_new``, ``outcome`` and ``story_id``."""
    rows: list[Row] = []
    while not rows:  # another transaction may add the item in the middle of the statement
        rows = SQL.named(conn, "item_add", source_id=source_id, **{**vars(item), "metadata": Json(item.metadata)})
    return rows[0]


def queue(conn: Connection, ids: Sequence[UUID]) -> None:
    """Mark items as queued for fetch-content. The caller must send fetch-content in the same transaction."""
    if ids:
        SQL.run(conn, "items_queue", ids=list(ids), status=Outcome.QUEUED.status)


def of_row(row: dict[str, Any]) -> Item:
    """Return the item in a row of the statement ``items_for_fetch``."""
    outcome = row["outcome"] and Outcome(row["outcome"])
    return Item(**{**row, "outcome": outcome, "folder": sources.folder_of(row)})


def lock(conn: Connection, item_id: UUID) -> tuple[Outcome, int]:
    """Lock an item until the end of the transaction. Returns the item's outcome and number of temporary failures."""
    row = SQL.only(conn, "item_lock", raw_item_id=item_id)
    return Outcome(row["outcome"]), row["attempts"]


def decide(
    conn: Connection,
    ids: Sequence[UUID],
    outcome: Outcome,
    detail: str | None = None,
    *,
    story_id: UUID | None = None,
    attempts: int = 0,
    wait: timedelta = timedelta(0),
) -> None:
    """Record the outcome and the status of items. ``wait`` is the time until items are tried again."""
    SQL.run(
        conn, "items_decide", ids=list(ids), outcome=outcome.value, status=outcome.status, story_id=story_id,
        detail=detail[:2000] if detail else None, attempts=attempts, is_final=outcome not in IN_FLIGHT, wait=wait,
    )  # fmt: skip
