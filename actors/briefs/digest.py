"""The top events of a day or a week by topic, with two sentences of each."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from actors.briefs.topics import arrange
from actors.store import digests
from actors.store.digests import Edition
from actors.store.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from actors.schema import DeliverDigest, GenerateBrief

_DAYS = {"day": 1, "week": 7}


def write_digest(tx: Connection, payload: GenerateBrief | DeliverDigest, limit: int) -> tuple[Edition, dict[str, Any]]:
    """Write the digest of a period, by default the one that ends with the last whole day, yesterday in UTC.

    Args:
        tx: A connection inside a transaction.
        payload: It has the digest's period, its last day and its team.
        limit: Most entries.

    Returns:
        The digest's period, last day and team, and the job's output.
    """
    assert payload.period is not None
    ends_on = payload.ends_on or digests.today(tx) - timedelta(days=1)
    since = ends_on - timedelta(days=_DAYS[payload.period] - 1)
    edition = Edition(payload.period, ends_on, payload.team_id)
    entries = arrange(tx, digests.top(tx, since=since, until=ends_on, team_id=edition.team_id, limit=limit))
    changed = SQL.one(tx, "digest_save", **vars(edition), entries=Json(entries)) is not None
    outcome = "written" if changed else "unchanged"
    return edition, {
        "outcome": outcome if entries else "no_stories",
        "period": edition.period,
        "ends_on": ends_on.isoformat(),
        "entries": len(entries),
    }
