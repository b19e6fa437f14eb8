"""Hosts that asked to be left alone for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from actors.store.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

LONGEST_REST = timedelta(hours=24)


def rest(conn: Connection, host: str, wait: timedelta) -> None:
    """Leave a host alone for ``wait``, a day at most; a longer rest that it asked for before stays."""
    SQL.run(conn, "host_rest", host=host, wait=min(wait, LONGEST_REST))


def resting(conn: Connection, host: str) -> datetime | None:
    """Until when a host is left alone, None where it may be asked."""
    row = SQL.one(conn, "host_resting", host=host)
    if row is None:
        return None
    until: datetime = row["until"]
    return until
