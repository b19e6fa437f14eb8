"""Clusters: stories that tell of one event, led by the story that was published first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg2.extensions import connection as Connection


def hold(conn: Connection, stories: Iterable[UUID]) -> list[dict[str, Any]]:
    """Lock stories and their clusters against other transactions' changes, until the transaction ends.

    Call it before the transaction locks a story or an overlay: all lock clusters, then stories, then overlays.

    Returns:
        ``id``, ``cluster_id`` and ``title`` of the stories that exist.
    """
    return SQL.all(conn, "cluster_hold", stories=sorted({str(story) for story in stories}))


def unite(conn: Connection, stories: Iterable[UUID]) -> UUID | None:
    """Put ``stories`` and the stories of their clusters into one cluster, and lock it as ``hold`` does.

    Returns:
        The cluster's id; None if fewer than two of the stories exist.
    """
    rows = hold(conn, stories)
    if len(rows) < 2:
        return None
    old = sorted({str(row["cluster_id"]) for row in rows if row["cluster_id"] is not None})
    cluster = old[0] if old else _create(conn, rows[0]["id"], rows[0]["title"])
    SQL.run(
        conn,
        "cluster_assign",
        cluster_id=cluster,
        stories=[str(row["id"]) for row in rows],
        merged=old[1:],
    )
    if old[1:]:
        SQL.run(conn, "cluster_drop", merged=old[1:])
    lead(conn, UUID(cluster))
    return UUID(cluster)


def lead(conn: Connection, cluster_id: UUID) -> bool:
    """Choose the cluster's leading story and count its sources again; returns whether that changed anything."""
    return SQL.run(conn, "cluster_lead", cluster_id=str(cluster_id)) > 0


def sources(conn: Connection, story_id: UUID) -> int:
    """The number of sources that tell of a story's event, copies of its text included; at least 1."""
    return max(1, int(SQL.value(conn, "event_sources", story_id=str(story_id))))


def _create(conn: Connection, story_id: object, title: str | None) -> str:
    row = SQL.one(conn, "cluster_create", cluster_key=f"event:{story_id}", label=title, story_id=str(story_id))
    if row is None:
        raise LookupError(f"expected a cluster of story {story_id}, got none")
    return str(row["id"])
