"""Hosts that asked for a rest."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors.store.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

LONGEST_REST = timedelta(hours=24)


def rest(conn: Connection, host: str, wait: timedelta) -> None:
    """Let a host rest for ``wait``, a day at most; a longer rest from before stays."""
    SQL.run(conn, "host_rest", host=host, wait=min(wait, LONGEST_REST))


def resting(conn: Connection, host: str) -> datetime | None:
    """The end of a host's rest; None if it may be asked."""
    until: datetime | None = SQL.value(conn, "host_resting", host=host)
    return until
