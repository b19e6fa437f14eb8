"""Highlights: the pipeline's own are kept up to date, a person's never change."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.store.statements import SQL


@dataclass(frozen=True, slots=True)
class Highlight:
    """A stored highlight.

    Attributes:
        id: For the pipeline's own, derived from story, team and words.
        story_id: The story it belongs to.
        team_id: The team that sees it; None for all.
        created_by: A user's id, or ``system``.
        kind: insight, quote, action, question, code_example, code_change, api_change or metric.
        origin: ``user`` or ``system``.
        title: A short name.
        summary: Its content.
        quote: Verbatim text of the story, or None.
        is_generated: Whether the pipeline made it.
        metadata: kind, place, context, tags, relevance and other facts.
    """

    id: UUID
    story_id: UUID
    team_id: UUID | None
    created_by: str
    kind: str
    origin: str
    title: str | None
    summary: str | None
    quote: str | None
    is_generated: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)


def context_line(metadata: Mapping[str, Any]) -> str:
    """The context of a highlight, as a reader sees it: ``[heading > heading] sentence``; else empty.

    A person's highlight may have any metadata, so a ``context`` of another form is none.
    """
    match metadata.get("context"):
        case {"headings": [*headings], "before": str() | None as before} if {*map(type, headings)} <= {str}:
            shown = f"[{' > '.join(headings)}]" if headings else ""
            return " ".join(part for part in (shown, before) if part)
    return ""


def of_story(conn: Connection, story_id: UUID) -> list[Highlight]:
    """All highlights of a story, oldest first."""
    rows = SQL.all(conn, "highlights_of_story", story_id=story_id)
    return [Highlight(**{one.name: row[one.name] for one in fields(Highlight)}) for row in rows]


def write(conn: Connection, statement: Literal["insert", "update"], some: Sequence[Highlight]) -> int:
    """Insert new highlights, or update some of the pipeline's own except their relevance; returns the number of changed ones.

    An inserted highlight with a known id stays unchanged.
    """
    rows = [
        {name: str(value) if isinstance(value, UUID) else value for name, value in asdict(one).items()} for one in some
    ]
    return SQL.run(conn, f"highlights_{statement}", highlights=Json(rows)) if rows else 0


def score(conn: Connection, scores: Mapping[UUID, Mapping[str, Any]]) -> int:
    """Store the relevance of the pipeline's own with its parts, by id; returns the number of changed ones."""
    given = [{"id": str(highlight_id), "relevance": dict(relevance)} for highlight_id, relevance in scores.items()]
    return SQL.run(conn, "highlights_score", scores=Json(given)) if given else 0


def withdraw(
    conn: Connection, known: Sequence[Highlight], team_id: UUID | None, text_hash: str, kept: Sequence[UUID]
) -> int:
    """Mark those of the pipeline's ``known`` highlights that are of an earlier text and not among ``kept``; their number."""
    old = [
        one.id
        for one in known
        if one.origin == "system" and one.is_generated and one.team_id == team_id and one.id not in kept
        if one.metadata.get("text", text_hash) != text_hash and "withdrawn" not in one.metadata
    ]
    return SQL.run(conn, "highlights_withdraw", ids=old) if old else 0
