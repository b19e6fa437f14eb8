"""The deliveries of digests to receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from datetime import date

    from psycopg2.extensions import connection as Connection

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


def is_delivered(conn: Connection, edition: Edition, receiver: str) -> bool:
    """Whether the receiver has it."""
    row = SQL.one(conn, "delivery_get", **_key(edition, receiver))
    return row is not None and row["delivered_at"] is not None


def note(conn: Connection, edition: Edition, receiver: str, *, failure: str | None = None) -> None:
    """Note that the receiver has it, or the reason why it could not be delivered."""
    SQL.run(conn, "delivery_put", **_key(edition, receiver), detail=failure)


def _key(edition: Edition, receiver: str) -> dict[str, object]:
    team = edition.team_id or _ALL
    return {"period": edition.period, "ends_on": edition.ends_on, "team_id": str(team), "receiver": receiver}
