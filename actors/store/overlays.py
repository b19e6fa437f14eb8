"""Overlays: the analysis of a story, and the author of each part: the pipeline, a person, or unknown.

The pipeline stores a hash of each text that it writes (in ``story_overlays.citations``). A text with another
hash was edited by a person and is never overwritten.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg2.extras import Json

from actors.store.statements import SQL
from zeke_jobs import Reject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from psycopg2.extensions import connection as Connection


Author = Literal["nobody", "pipeline", "person", "unknown"]


def mark(*texts: str | None) -> str:
    """The hash to note for texts that the pipeline writes."""
    return hashlib.sha256("\x1f".join(text or "" for text in texts).encode()).hexdigest()[:32]


def author(note: Mapping[str, Any] | None, *texts: str | None) -> Author:
    """The author of ``texts``; ``note`` is the pipeline's hash from its last writing.

    ``unknown``: there is a text without a note, as in rows of an earlier version.
    """
    written = (note or {}).get("written")
    if written is not None:
        return "pipeline" if written == mark(*texts) else "person"
    return "unknown" if any(texts) else "nobody"


def kept(author: Author, *, is_asked_for: bool) -> str | None:
    """The outcome if a text stays, or None. A person's text always stays, one of unknown origin unless a person asks."""
    if author == "person":
        return "kept_edited"
    return "kept_existing" if author == "unknown" and not is_asked_for else None


@dataclass(frozen=True, slots=True)
class Overlay:
    """A story's overlay in the database.

    Attributes:
        why_it_matters: The analysis, or None.
        brief: One line, two sentences, elevator pitch; each may be None.
        summary: The story's summary, or None.
        citations: chili, quotes, and notes about authors.
    """

    why_it_matters: str | None
    brief: tuple[str | None, str | None, str | None]
    summary: str | None
    citations: Mapping[str, Any]

    @property
    def analysis_author(self) -> Author:
        """The author of ``why_it_matters``."""
        return author(self.citations.get("analysis"), self.why_it_matters)

    @property
    def brief_author(self) -> Author:
        """The author of the brief."""
        return author(self.citations.get("brief"), *self.brief)

    @property
    def summary_author(self) -> Author:
        """The author of the summary."""
        return author(self.citations.get("summary"), self.summary)


def lock(conn: Connection, story_id: UUID) -> Overlay:
    """The overlay of a story that was read before, created if missing, locked until the transaction ends.

    Raises:
        Reject: the story does not exist any more.
    """
    row = SQL.one(conn, "overlay_lock", story_id=story_id)
    if row is None and SQL.run(conn, "overlay_ensure", story_id=story_id):
        row = SQL.one(conn, "overlay_lock", story_id=story_id)
    if row is None:
        raise Reject(f"expected a story with id {story_id}, got one that was deleted meanwhile")
    return of_row(row)


def of_row(row: Mapping[str, Any]) -> Overlay:
    """The overlay in a row; empty if the story has none yet."""
    brief = (row["brief_one_liner"], row["brief_two_liner"], row["brief_elevator"])
    return Overlay(row["why_it_matters"], brief, row["summary"], row["citations"] or {})


def save_analysis(
    conn: Connection,
    story_id: UUID,
    *,
    why_it_matters: str | None,
    confidence: float | None,
    state: str,
    citations: Mapping[str, Any],
) -> bool:
    """Store an analysis and merge ``citations`` into the stored ones. Returns whether anything changed."""
    rounded = None if confidence is None else round(confidence, 2)
    told = {"why_it_matters": why_it_matters, "analysis_state": state, "citations": Json(dict(citations))}
    return SQL.run(conn, "overlay_save_analysis", story_id=story_id, confidence=rounded, **told) > 0
