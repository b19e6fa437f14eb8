"""What teams think of a story: unread, read or archived, a star, and the shift of its chili by their interests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

Row = dict[str, Any]


def put_scores(conn: Connection, story_id: UUID, scores: Sequence[tuple[UUID, float, Row]]) -> bool:
    """Store the shift of each team's chili with its parts, in place of the old ones; returns whether that changed anything."""
    rows = [{"team_id": str(team), "shift": shift, "parts": parts} for team, shift, parts in scores]
    return SQL.run(conn, "team_scores_put", story_id=story_id, scores=Json(rows)) > 0


def cosines(conn: Connection, story_id: UUID, examples: Iterable[int | UUID]) -> list[Row]:
    """The similarity of a story to others, given by number or id: ``story_id``, ``number``, ``title``, ``cosine``."""
    wanted = list(examples)
    numbers = [one for one in wanted if isinstance(one, int)]
    ids = [one for one in wanted if not isinstance(one, int)]
    return SQL.all(conn, "example_cosines", story_id=story_id, ids=ids, numbers=numbers) if wanted else []
