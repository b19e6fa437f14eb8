"""The top events of a day or a week with their one-liners."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from actors.store import digests

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from actors.store.digests import Edition

_DAYS = {"day": 1, "week": 7}


def last_day(conn: Connection) -> date:
    """The last whole day: yesterday, in UTC."""
    return digests.today(conn) - timedelta(days=1)


def write_digest(edition: Edition, tx: Connection, limit: int) -> dict[str, Any]:
    """Write the digest of a period.

    Args:
        edition: The digest's period, its last day and its team.
        tx: A connection inside a transaction.
        limit: Most entries.

    Returns:
        The job's output.
    """
    since = edition.ends_on - timedelta(days=_DAYS[edition.period] - 1)
    entries = digests.top(tx, since=since, until=edition.ends_on, team_id=edition.team_id, limit=limit)
    changed = digests.save(tx, edition, entries)
    outcome = "written" if changed else "unchanged"
    return {
        "outcome": outcome if entries else "no_stories",
        "period": edition.period,
        "ends_on": edition.ends_on.isoformat(),
        "entries": len(entries),
    }
