"""The trail of changes by hand: the database user of each, and the name that the caller gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One change.

    Attributes:
        login: The database user of the session; behind a pooler that of the pool.
        said_by: Who the caller said it was: ``user@host`` of a command line; None where nobody said it.
        action: ``cancel``, ``retry``, ``prioritise``, ``reschedule``, ``pause``, ``resume``, ``run``, ``backfill``, ``put``,
            ``delete``, ``import``, ``roles``; or what made a revision: ``apply``, ``rollback``, ``set``, ``boot``, ``revert``.
        target: ``job/ID``, ``task/ID``, ``queue/NAME``, ``limit/NAME``, ``schedule/ID``, ``revision/N``,
            ``database/NAME``, ``batch/ID``, ``pg-boss/SCHEMA``, or ``all``.
        jobs: The jobs that were changed.
    """

    number: int
    done_on: datetime
    login: str
    said_by: str | None
    action: str
    target: str
    reason: str | None
    jobs: list[UUID] | None


def listed(
    conn: Connection,
    *,
    who: str | None = None,
    actions: Sequence[str] | None = None,
    target: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest changes that pass every filter, the newest first. They are kept for 400 days.

    Args:
        conn: An autocommit connection.
        who: A login, or whom the caller said: ``user@host`` or ``user``.
        actions: Only these.
        target: Only of this; an id of a job finds what changed that job, alone or among others.
        begin: Only from then on.
        end: Only before then.
        limit: At most so many.
    """
    filters = {"who": who, "actions": list(actions) if actions else None, "target": target, "begin": begin, "end": end}
    return [Entry(**row) for row in SQL.all(conn, "audit/list", limit=limit, **filters)]
