"""Renames, removes and merges sources, with all rows that depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.store import clusters, sources
from actors.store.statements import SQL

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection


def rename(conn: Connection, source_id: UUID, name: str) -> bool:
    """Give a source another name; returns whether that changed anything."""
    return SQL.run(conn, "source_rename", source_id=source_id, name=name) > 0


def extent(conn: Connection, source_id: UUID) -> dict[str, Any]:
    """The numbers of a source's ``items``, ``stories``, ``starred`` stories and stories ``shared`` with other sources."""
    row = SQL.one(conn, "source_extent", source_id=source_id)
    assert row is not None
    return row


def remove(tx: Connection, source_id: UUID) -> None:
    """Remove a source with its items and stories. Stories that another source tells too stay, and become that source's."""
    sources.lock(tx, source_id)
    events = _events(tx, source_id)
    SQL.run(tx, "source_bequeath", source_id=source_id)
    SQL.run(tx, "source_remove", source_id=source_id)
    _lead(tx, events)


def merge(tx: Connection, source_id: UUID, into: UUID) -> int:
    """Move all items and stories of a source to another one, and remove it; returns the number of moved items."""
    for one in sorted((source_id, into)):
        sources.lock(tx, one)
    both = {"source_id": source_id, "into": into}
    events = _events(tx, source_id)
    moved = SQL.run(tx, "source_merge_items", **both)
    for part in ("stories", "uploads", "teams"):
        SQL.run(tx, f"source_merge_{part}", **both)
    SQL.run(tx, "source_remove", source_id=source_id)
    _lead(tx, events)
    return moved


def _events(tx: Connection, source_id: UUID) -> list[UUID]:
    return sorted(row["id"] for row in SQL.all(tx, "source_clusters", ids=[source_id]))


def _lead(tx: Connection, events: list[UUID]) -> None:
    """Choose the leading story of each event and count its sources again."""
    for event in events:
        clusters.lead(tx, event)
    SQL.run(tx, "clusters_drop_empty", ids=events)
