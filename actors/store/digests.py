"""Digests: the top events of a day or a week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from actors.store.by_index import by_index
from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

Row = dict[str, Any]


def today(conn: Connection) -> date:
    """Today's date in UTC, by the database's clock."""
    day: date = SQL.value(conn, "digest_today")
    return day


def top(conn: Connection, *, since: date, until: date, team_id: UUID | None, limit: int) -> list[Row]:
    """The events published from ``since`` to ``until`` (both included, UTC), best first.

    One entry for each event: its leading story. A team sees only sources that it follows, and no story that it archived.
    """
    team = None if team_id is None else str(team_id)
    with by_index(conn):
        rows = SQL.all(conn, "digest_entries", since=since, until=until, team_id=team, limit=limit)
    return [
        {
            "story_id": str(row["story_id"]),
            "title": row["title"],
            "url": row["url"],
            "source": row["source"],
            "one_liner": row["one_liner"],
            "why": row["why"],
            "told_by": row["told_by"],
            "chili": float(row["chili"]),
            "sources": row["sources"],
            "relevance": float(row["relevance"]),
        }
        for row in rows
    ]


def save(conn: Connection, *, period: str, ends_on: date, team_id: UUID | None, entries: Sequence[Row]) -> bool:
    """Store a digest; returns whether that changed anything."""
    saved = SQL.one(
        conn,
        "digest_save",
        period=period,
        ends_on=ends_on,
        team_id=None if team_id is None else str(team_id),
        entries=Json(list(entries)),
    )
    return saved is not None


def get(conn: Connection, *, period: str, team_id: UUID | None, ends_on: date | None = None) -> Row | None:
    """The latest digest that ends on ``ends_on`` or before; None if there is none."""
    return SQL.one(
        conn, "digest_get", period=period, team_id=None if team_id is None else str(team_id), ends_on=ends_on
    )
