"""The rows of a run in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.demo.progress import Counts, counts
from actors.demo.statements import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class Results:
    """Rows as the demo's statements return them; ``jobs`` counts by task and status."""

    sources: list[dict[str, Any]]
    items: list[dict[str, Any]]
    stories: list[dict[str, Any]]
    highlights: list[dict[str, Any]]
    unfinished: list[dict[str, Any]]
    jobs: Counts


def read(conn: Connection) -> Results:
    """Read all of it."""
    return Results(
        sources=SQL.all(conn, "sources"),
        items=SQL.all(conn, "items"),
        stories=SQL.all(conn, "stories"),
        highlights=SQL.all(conn, "highlights"),
        unfinished=SQL.all(conn, "jobs_not_done"),
        jobs=counts(conn),
    )
