"""Stores a story's highlights. The pipeline updates only its own highlights, and never a person's highlights.

The id of a highlight by the pipeline is a hash of the story, the team and the words. If ``team_id`` is None, all teams
see the highlight. The column ``metadata`` has a highlight's kind, place, context, tags and relevance.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.store import SQL
from zeke_jobs.postgres.queries import Row

_dumps = partial(json.dumps, default=str)


def of_story(conn: Connection, story_id: UUID) -> list[Row]:
    """Return all highlights of a story, oldest first."""
    return SQL.named(conn, "highlights_of_story", story_id=story_id)


def write(conn: Connection, statement: Literal["insert", "update"], some: Sequence[Row]) -> int:
    """Insert new highlights, or update the pipeline's own highlights. Returns the number of changed rows."""
    rows = Json([vars(one) for one in some], dumps=_dumps)
    return SQL.run(conn, f"highlights_{statement}", highlights=rows) if some else 0


def score(conn: Connection, scores: Mapping[UUID, Mapping[str, Any]]) -> int:
    """Store the relevance ``scores`` of the pipeline's highlights, by id. Returns the number of changed rows."""
    given = [{"id": highlight_id, "relevance": relevance} for highlight_id, relevance in scores.items()]
    return SQL.run(conn, "highlights_score", scores=Json(given, dumps=_dumps)) if given else 0


def withdraw(conn: Connection, known: Sequence[Row], team_id: UUID | None, text_hash: str, kept: Sequence[UUID]) -> int:
    """Withdraw the ``known`` highlights of a text other than ``text_hash``, except ``kept``. Returns their number."""
    old = [
        one.id
        for one in known
        if one.origin == "system" and one.is_generated and one.team_id == team_id and one.id not in kept
        if one.metadata.get("text", text_hash) != text_hash and "withdrawn" not in one.metadata
    ]
    return SQL.run(conn, "highlights_withdraw", ids=old) if old else 0
