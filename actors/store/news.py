"""What people ask of the store: lists, one story in full, and where an article is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.store.statements import SQL
from zeke_jobs.errors import ZekeJobsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

Row = dict[str, Any]


class NotFound(ZekeJobsError):
    """Nothing answers to this name."""


class NotUnique(ZekeJobsError):
    """More than one thing answers to this name."""


def stories(
    conn: Connection,
    *,
    limit: int = 30,
    source: str | None = None,
    search: str | None = None,
    since: datetime | None = None,
    min_chili: float | None = None,
    state: str | None = None,
    leads: bool = False,
    team: UUID | None = None,
    team_state: str = "unread",
) -> list[Row]:
    """Stories, newest first.

    Args:
        conn: A connection.
        limit: At most so many.
        source: Part of the source's name or address.
        search: Part of title or summary.
        since: Published (or found) then or later.
        min_chili: At least this hot.
        state: pending, extractive or completed.
        leads: Of a cluster, only the story that leads it.
        team: Only stories that are in ``team_state`` for this team; without a row a story is unread.
        team_state: unread, read or archived.
    """
    return SQL.all(
        conn,
        "news_stories",
        limit=limit,
        source=source,
        search=search,
        since=since,
        min_chili=min_chili,
        state=state,
        leads=leads,
        team=None if team is None else str(team),
        team_state=team_state,
    )


def find_story(conn: Connection, prefix: str) -> UUID | None:
    """The story whose id begins with ``prefix``.

    Raises:
        NotUnique: there is more than one.
    """
    return _only(SQL.all(conn, "news_find_story", prefix=_literal(prefix)), f"stories begin with {prefix!r}")


def find_source(conn: Connection, name: str) -> UUID | None:
    """The source whose id begins with ``name``, or that has this address or name.

    Raises:
        NotUnique: there is more than one.
    """
    rows = SQL.all(conn, "news_find_source", prefix=_literal(name), name=name)
    return _only(rows, f"sources answer to {name!r}")


def story(conn: Connection, story_id: UUID) -> Row | None:
    """One story in full, with ``highlights``, ``same_event`` (its cluster) and ``items`` (where it was found)."""
    row = SQL.one(conn, "news_story", story_id=str(story_id))
    if row is None:
        return None
    cluster = row["cluster_id"]
    row["highlights"] = [
        each
        for each in SQL.all(conn, "highlights_of_story", story_id=str(story_id))
        if not each["metadata"].get("withdrawn")
    ]
    row["same_event"] = (
        []
        if cluster is None
        else SQL.all(conn, "news_cluster_members", cluster_id=str(cluster), story_id=str(story_id))
    )
    row["items"] = SQL.all(conn, "news_story_items", story_id=str(story_id))
    return row


def items_like(conn: Connection, hosts: Iterable[str], paths: Iterable[str], query: str = "") -> list[Row]:
    """Items whose address contains one of ``hosts``, one of ``paths``, and ``query``; the 200 with the shortest address.

    The shorter the address, the likelier it is the one that the user means.
    """
    known = {"hosts": sorted({host.lower() for host in hosts}), "paths": sorted({path.lower() for path in paths})}
    return SQL.all(conn, "news_items_like", **known, query=query.lower())


def sources_of_host(conn: Connection, host: str) -> list[Row]:
    """Sources whose address contains ``host``."""
    return SQL.all(conn, "news_sources_of_host", host=host.lower())


def jobs_about(
    conn: Connection, *, ids: Sequence[str] = (), sources: Sequence[str] = (), urls: Sequence[str] = (), limit: int = 20
) -> list[Row]:
    """The latest jobs about these stories, items, sources or addresses; unfinished ones first."""
    return SQL.all(conn, "news_jobs_about", ids=list(ids), sources=list(sources), urls=list(urls), limit=limit)


def _only(rows: list[Row], what: str) -> UUID | None:
    if len(rows) > 1:
        raise NotUnique(f"expected one, got several: more than one of the {what}; give more of the id")
    return UUID(str(rows[0]["id"])) if rows else None


def _literal(prefix: str) -> str:
    return prefix.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
