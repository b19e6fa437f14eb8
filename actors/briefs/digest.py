"""The top events of a day or a week by topic, with two sentences of each."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.briefs.topics import arrange
from actors.schema import DeliverDigest, GenerateBrief
from actors.store.statements import SQL, by_index

_DAYS = {"day": 1, "week": 7}


def write_digest(
    tx: Connection, payload: GenerateBrief | DeliverDigest, limit: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Store the digest of a period, by default to yesterday (UTC); returns its key in the database, and the job's output."""
    assert payload.period is not None
    ends_on = payload.ends_on or SQL.value(tx, "digest_today") - timedelta(days=1)
    since = ends_on - timedelta(days=_DAYS[payload.period] - 1)
    edition = {"period": payload.period, "ends_on": ends_on, "team_id": payload.team_id}
    entries = arrange(tx, top(tx, since=since, until=ends_on, team_id=payload.team_id, limit=limit))
    changed = SQL.one(tx, "digest_save", **edition, entries=Json(entries)) is not None
    outcome = "written" if changed else "unchanged"
    return edition, {
        "outcome": outcome if entries else "no_stories",
        "period": payload.period,
        "ends_on": ends_on.isoformat(),
        "entries": len(entries),
    }


def top(conn: Connection, *, since: date, until: date, team_id: UUID | None, limit: int) -> list[dict[str, Any]]:
    """The events published from ``since`` to ``until`` (both included, UTC), each by its leading story, best first.

    A team sees only the sources that it follows, and no story that it archived.
    """
    with by_index(conn):
        rows = SQL.all(conn, "digest_entries", since=since, until=until, team_id=team_id, limit=limit)
    numbers = ("chili", "relevance")
    return [{**row, "story_id": str(row["story_id"]), **{name: float(row[name]) for name in numbers}} for row in rows]
