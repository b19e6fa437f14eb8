"""Keeps clusters. A cluster contains the stories that report one event. The story that was published first leads it."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import SQL
from zeke_jobs.postgres.queries import Row


def hold(conn: Connection, stories: Iterable[UUID]) -> list[dict[str, Any]]:
    """Lock stories and their clusters until the transaction ends. Returns each story's ``id``, ``cluster_id`` and ``title``.

    Call this function before the transaction locks a story or an overlay: every transaction locks clusters first, then
    stories, then overlays.
    """
    return SQL.all(conn, "cluster_hold", stories=sorted(set(stories)))


def unite(conn: Connection, stories: Iterable[UUID]) -> UUID | None:
    """Merge ``stories`` and their clusters into one locked cluster, and count the cluster's sources.

    Returns the id of the cluster, or None for a single story that has no cluster.
    """
    rows = hold(conn, stories)
    old = sorted({row["cluster_id"] for row in rows if row["cluster_id"] is not None})
    if len(rows) < 2 and not old:
        return None
    first = rows[0]
    created = None if old else SQL.value(conn, "cluster_create", label=first["title"], story_id=first["id"])
    cluster: UUID = created or old[0]
    SQL.run(conn, "cluster_assign", cluster_id=cluster, stories=[row["id"] for row in rows], merged=old[1:])
    if old[1:]:
        SQL.run(conn, "cluster_drop", merged=old[1:])
    SQL.run(conn, "cluster_lead", cluster_id=cluster)
    return cluster


def sources(conn: Connection, story_id: UUID) -> int:
    """Return the number of sources (at least 1) that report a story's event. Sources of copies count too."""
    return max(1, int(SQL.value(conn, "event_sources", story_id=story_id)))


def candidates(conn: Connection, story_id: UUID, bands: Sequence[int]) -> list[Row]:
    """Return ``story_id`` and ``text`` of stories that share MinHash bands with a story, most shared bands first."""
    return SQL.named(conn, "story_candidates", story_id=story_id, bands=list(bands), most=50)
