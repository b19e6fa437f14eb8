"""The audit trail of changes by hand: each one's database user, and the name that the caller gave."""

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
        login: The session's database user; behind a pooler, the pool's.
        said_by: The caller's name for itself: ``user@host`` from a command line; None if the caller gave none.
        action: ``cancel``, ``retry``, ``prioritise``, ``reschedule``, ``pause``, ``resume``, ``run``, ``backfill``, ``put``,
            ``delete``, ``import``, ``roles``; or a revision's origin: ``apply``, ``rollback``, ``set``, ``boot``, ``revert``.
        target: ``job/ID``, ``task/ID``, ``queue/NAME``, ``limit/NAME``, ``schedule/ID``, ``revision/N``,
            ``database/NAME``, ``batch/ID``, ``pg-boss/SCHEMA``, or ``all``.
        jobs: The changed jobs.
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
    """The changes that pass all filters, newest first. They are kept for 400 days.

    Args:
        conn: An autocommit connection.
        who: A login, or the caller's name: ``user@host`` or ``user``.
        actions: Only these actions.
        target: Only this target; a job's id finds each change of that job, alone or with others.
        begin: Only changes at or after this time.
        end: Only changes before this time.
        limit: Largest number of changes.
    """
    filters = {"who": who, "actions": list(actions) if actions else None, "target": target, "begin": begin, "end": end}
    return [Entry(**row) for row in SQL.all(conn, "audit/list", limit=limit, **filters)]
