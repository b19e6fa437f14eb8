"""generate-brief for a period: the top events of a day or a week with their one-liners."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from actors.store import digests

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from actors.schema import GenerateBrief

_DAYS = {"day": 1, "week": 7}


def write_digest(payload: GenerateBrief, tx: Connection, limit: int) -> dict[str, Any]:
    """Write the digest of the period that ends on the payload's day, by default yesterday: the last whole one.

    Args:
        payload: One with a period.
        tx: Inside a transaction.
        limit: At most so many entries.

    Returns:
        The job's output.
    """
    assert payload.period is not None
    ends_on = payload.ends_on or digests.today(tx) - timedelta(days=1)
    since = ends_on - timedelta(days=_DAYS[payload.period] - 1)
    entries = digests.top(tx, since=since, until=ends_on, team_id=payload.team_id, limit=limit)
    changed = digests.save(tx, period=payload.period, ends_on=ends_on, team_id=payload.team_id, entries=entries)
    outcome = "written" if changed else "unchanged"
    return {
        "outcome": outcome if entries else "no_stories",
        "period": payload.period,
        "ends_on": ends_on.isoformat(),
        "entries": len(entries),
    }
