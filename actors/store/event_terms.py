"""The terms by which the stories of one event are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_NEWEST = 256  # stories of each term; bounds the rows that a look-up reads. Among 100,000 stories, 64 missed 2.7 % of the pairs
_MOST = 256
_FEW = 16  # with fewer terms, one shared term is enough; with more, one may be chance


@dataclass(frozen=True, slots=True)
class Candidate:
    """A story that may tell of the same event."""

    story_id: UUID
    cluster_id: UUID | None


def candidates(
    conn: Connection, story_id: UUID, terms: Sequence[int], *, since: datetime, until: datetime
) -> list[Candidate]:
    """Other stories between ``since`` and ``until`` that share terms with this one, the most alike first."""
    least = 1 if len(terms) < _FEW else 2
    rows = SQL.all(
        conn, "story_event_candidates", story_id=story_id, terms=list(terms), since=since, until=until, least=least,
        newest=_NEWEST, most=_MOST,
    )  # fmt: skip
    return [Candidate(**row) for row in rows]
