"""Digests: the top events of a day or a week, and their deliveries to receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.store.statements import SQL, by_index

if TYPE_CHECKING:
    from datetime import date

    from psycopg2.extensions import connection as Connection

Row = dict[str, Any]

_ALL = UUID(int=0)


@dataclass(frozen=True)
class Edition:
    """The digest of a period, for a team or for all."""

    period: str
    ends_on: date
    team_id: UUID | None = None

    @property
    def name(self) -> str:
        """Its name, such as ``day-2026-11-26``; with the beginning of the team's id if it has a team."""
        team = "" if self.team_id is None else f"-{str(self.team_id)[:8]}"
        return f"{self.period}-{self.ends_on.isoformat()}{team}"


def today(conn: Connection) -> date:
    """Today's date in UTC, by the database's clock."""
    day: date = SQL.value(conn, "digest_today")
    return day


def top(conn: Connection, *, since: date, until: date, team_id: UUID | None, limit: int) -> list[Row]:
    """The events published from ``since`` to ``until`` (both included, UTC), best first.

    One entry for each event: its leading story. A team sees only sources that it follows, and no story that it archived.
    """
    with by_index(conn):
        rows = SQL.all(conn, "digest_entries", since=since, until=until, team_id=team_id, limit=limit)
    numbers = ("chili", "relevance")
    return [{**row, "story_id": str(row["story_id"]), **{name: float(row[name]) for name in numbers}} for row in rows]


def get(conn: Connection, *, period: str, team_id: UUID | None, ends_on: date | None = None) -> Row | None:
    """The latest digest that ends on ``ends_on`` or before; None if there is none."""
    return SQL.one(conn, "digest_get", period=period, team_id=team_id, ends_on=ends_on)


def note_delivery(conn: Connection, edition: Edition, receiver: str, *, failure: str | None = None) -> None:
    """Note that the receiver has it, or the reason why it could not be delivered."""
    SQL.run(conn, "delivery_put", **key(edition, receiver), detail=failure)


def key(edition: Edition, receiver: str) -> Row:
    """The identity of a delivery."""
    return {**vars(edition), "team_id": edition.team_id or _ALL, "receiver": receiver}
