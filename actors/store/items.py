"""Raw items and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg2.extras import Json

from actors.outcomes import IN_FLIGHT, Outcome
from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg2.extensions import connection as Connection

_LONGEST_DETAIL = 2000
_AGAIN = sorted(Outcome.having("again"))


@dataclass(frozen=True)
class NewItem:
    """An item from its source. ``external_id`` identifies it within the source."""

    external_id: str
    kind: str = "article"
    title: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """A raw item on its way to a story.

    Attributes:
        outcome: None if a foreign producer added it.
        attempts: Fetches of it that failed temporarily.
    """

    id: UUID
    source_id: UUID
    source_type: str
    external_id: str
    kind: str
    title: str | None
    url: str | None
    published_at: datetime | None
    metadata: dict[str, Any]
    outcome: Outcome | None
    attempts: int

    @property
    def is_in_flight(self) -> bool:
        """Whether it still waits for its text."""
        return self.outcome is None or self.outcome in IN_FLIGHT


@dataclass(frozen=True)
class Known:
    """The result of ``add``: the item's id, and the outcome of an item that existed before."""

    id: UUID
    is_new: bool
    outcome: Outcome | None = None
    story_id: UUID | None = None


@dataclass(frozen=True)
class Stranded:
    """An item that is queued again, because its job was lost for the ``times``-th time."""

    id: UUID
    url: str | None
    times: int


def upsert(conn: Connection, source_id: UUID, items: Sequence[NewItem]) -> dict[str, tuple[UUID, bool]]:
    """Add new items, and mark items that were edited since they were read.

    Returns:
        Of these, by external id: the item's id, and whether it is new.
    """
    rows = [
        {
            "external_id": item.external_id,
            "kind": item.kind,
            "title": item.title,
            "url": item.url,
            "published_at": item.published_at.isoformat() if item.published_at else None,
            "metadata": item.metadata,
        }
        for item in items
    ]
    found = SQL.all(conn, "items_upsert", source_id=str(source_id), items=Json(rows), again=_AGAIN)
    return {row["external_id"]: (UUID(str(row["id"])), row["is_new"]) for row in found}


def add(conn: Connection, source_id: UUID, item: NewItem) -> Known:
    """Add one item, or find the existing one."""
    row = SQL.one(
        conn,
        "item_add",
        source_id=str(source_id),
        external_id=item.external_id,
        kind=item.kind,
        title=item.title,
        url=item.url,
        published_at=item.published_at,
        metadata=Json(item.metadata),
    )
    if row is None:  # another transaction added it between the two halves of the statement
        return add(conn, source_id, item)
    story = row["story_id"]
    return Known(
        id=UUID(str(row["id"])),
        is_new=row["is_new"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        story_id=UUID(str(story)) if story else None,
    )


def reset(conn: Connection, item_id: UUID, *, url: str | None, title: str | None, metadata: dict[str, Any]) -> None:
    """Update an item with its new details when somebody asks for it again."""
    SQL.run(conn, "item_reset", raw_item_id=str(item_id), url=url, title=title, metadata=Json(metadata))


def queue(conn: Connection, ids: Sequence[UUID]) -> None:
    """Mark items as queued for fetch-content; send that in the same transaction."""
    if ids:
        texts = sorted(map(str, ids))
        SQL.run(conn, "items_queue", ids=texts)
        SQL.run(conn, "items_status", ids=texts, status=Outcome.QUEUED.status)


def for_fetch(conn: Connection, ids: Sequence[UUID]) -> list[Item]:
    """The items of a fetch-content job. Items that do not exist (any more) are left out."""
    rows = SQL.all(conn, "items_for_fetch", ids=[str(one) for one in ids])
    return [Item(**{**row, "outcome": row["outcome"] and Outcome(row["outcome"])}) for row in rows]


def lock(conn: Connection, item_id: UUID) -> tuple[Outcome, int]:
    """Lock an item until the end of the transaction; returns its outcome and attempts so far."""
    row = SQL.one(conn, "item_lock", raw_item_id=str(item_id))
    assert row is not None
    return Outcome(row["outcome"]), row["attempts"]


def decide(
    conn: Connection,
    item_id: UUID,
    outcome: Outcome,
    detail: str | None = None,
    *,
    story_id: UUID | None = None,
    attempts: int = 0,
    wait: timedelta = timedelta(0),
) -> None:
    """Record an item's outcome, or its wait for another attempt, and set the status to match."""
    SQL.run(
        conn,
        "item_decide",
        raw_item_id=str(item_id),
        outcome=outcome.value,
        detail=detail[:_LONGEST_DETAIL] if detail else None,
        story_id=str(story_id) if story_id else None,
        attempts=attempts,
        is_final=outcome not in IN_FLIGHT,
        wait=wait,
    )
    SQL.run(conn, "items_status", ids=[str(item_id)], status=outcome.status)


def decide_all(conn: Connection, ids: Iterable[UUID], outcome: Outcome, detail: str | None = None) -> None:
    """Record the same outcome for several items."""
    for one in ids:
        decide(conn, one, outcome, detail)


def sweep(conn: Connection, *, lost_after: timedelta, most: int, most_times: int) -> tuple[list[Stranded], list[UUID]]:
    """Find lost items: in flight for long, and without an unfinished job.

    Args:
        conn: A connection inside a transaction that also sends the jobs.
        lost_after: An item in flight for longer is lost.
        most: Most items at once.
        most_times: Number of times after which an item is given up instead.

    Returns:
        The items to send again, and the items that were given up.
    """
    rows = SQL.all(conn, "items_sweep", lost_after=lost_after, most=most, most_times=most_times)
    again, abandoned = [], []
    for row in rows:
        one = UUID(str(row["id"]))
        if row["outcome"] == Outcome.ABANDONED:
            abandoned.append(one)
        else:
            again.append(Stranded(one, row["url"], times=row["queued_count"] - 1))
    if abandoned:
        texts = [str(one) for one in abandoned]
        SQL.run(conn, "items_status", ids=texts, status=Outcome.ABANDONED.status)
    return again, abandoned


def backfill(conn: Connection, source_id: UUID, most: int) -> list[tuple[UUID, str | None]]:
    """The newest items that were left out when the source was new, up to a number, with their addresses; locked."""
    rows = SQL.all(conn, "items_backfill", source_id=str(source_id), most=most)
    return [(UUID(str(row["id"])), row["url"]) for row in rows]


def backlog(conn: Connection, source_id: UUID) -> int:
    """The number of items that were left out when the source was new."""
    return int(SQL.value(conn, "items_backlog", source_id=str(source_id)))


def outcomes(conn: Connection, source_id: UUID | None = None) -> dict[str, int]:
    """The number of items by outcome."""
    rows = SQL.all(conn, "items_outcomes", source_id=str(source_id) if source_id else None)
    return {row["outcome"]: row["items"] for row in rows}
