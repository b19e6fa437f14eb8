"""Stores overlays. An overlay has a story's analysis, brief and summary, each written by the pipeline or a person.

The pipeline stores a hash of each text that it writes (in ``story_overlays.citations``). If a text does not match its
hash, a person edited it, and the pipeline never overwrites it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.ai.protocol import Analysis, Provenance
from actors.store import SQL
from zeke_jobs import Reject

Author = Literal["nobody", "pipeline", "person", "unknown"]
Part = Literal["analysis", "brief", "summary"]


def mark(*texts: str | None) -> str:
    """Return the hash of texts, which the pipeline stores with the texts that it writes, to notice edits by people."""
    return hashlib.sha256("\x1f".join(text or "" for text in texts).encode()).hexdigest()[:32]


def kept(author: Author, *, is_asked_for: bool) -> str | None:
    """Return the job's outcome if the old text must stay, or None if it may be replaced.

    A person's text must stay. A text of unknown origin must stay unless a person asked for a new text.
    """
    if author == "person":
        return "kept_edited"
    return "kept_existing" if author == "unknown" and not is_asked_for else None


class Written(NamedTuple):
    """Holds the new texts of one part of an overlay (analysis, brief or summary), and how they were made."""

    made_by: Provenance
    texts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Holds a story's overlay: its analysis, brief and summary, and the data on how they were made."""

    why_it_matters: str | None
    brief: tuple[str | None, str | None, str | None]  # one line, two sentences, elevator pitch
    summary: str | None
    citations: Mapping[str, Any]  # chili, quotes, and the hashes that show each part's author

    def texts(self, part: Part) -> tuple[str | None, ...]:
        """Return the texts of one part of the overlay."""
        return {"analysis": (self.why_it_matters,), "brief": self.brief, "summary": (self.summary,)}[part]

    def author(self, part: Part) -> Author:
        """Return the author of one part. If the stored hash matches the part's texts, the pipeline is the author."""
        texts, written = self.texts(part), (self.citations.get(part) or {}).get("written")
        if written is not None:
            return "pipeline" if written == mark(*texts) else "person"
        return "unknown" if any(texts) else "nobody"


def of_event(conn: Connection, story_id: UUID) -> tuple[dict[UUID, Overlay], int]:
    """Lock the overlays of a story and of its event's other analysed stories. Return them and the event's source count.

    If the story has no overlay, an empty overlay is created. Raises Reject if the story does not exist any more.
    """
    for _ in range(2):
        found = {row["story_id"]: row for row in SQL.all(conn, "event_overlays", story_id=story_id)}
        if story_id in found:
            return {story: of_row(row) for story, row in found.items()}, max(1, found[story_id]["sources"])
        SQL.run(conn, "overlay_ensure", story_id=story_id)
    raise Reject(f"expected a story with id {story_id}, got one that was deleted meanwhile")


def of_row(row: Mapping[str, Any]) -> Overlay:
    """Return the overlay in a database row. If the story has no overlay yet, the result is an empty overlay."""
    brief = (row["brief_one_liner"], row["brief_two_liner"], row["brief_elevator"])
    return Overlay(row["why_it_matters"], brief, row["summary"], row["citations"] or {})


def save(
    conn: Connection,
    story_id: UUID,
    new: Mapping[Part, Written],
    seen: Overlay | None = None,
    *,
    is_asked_for: bool,
    analysis: Analysis | None = None,
    cited: Mapping[str, Any] | None = None,
    time_saved_seconds: int | None = None,
) -> tuple[str | None, bool]:
    """Store a story's new texts, unless an old text must stay (see ``kept``), and merge ``cited`` into the citations.

    ``is_asked_for`` says that a person asked for the first part in ``new``. Only a caller that locked the story and
    its overlay may pass the overlay as ``seen``. Raises Reject if the story does not exist any more. Returns the
    outcome if the first part's old text stays (or else None), and whether anything changed.
    """
    if seen is None:
        SQL.one(conn, "story_hold", story_id=story_id)
        seen = of_event(conn, story_id)[0][story_id]
    first = next(iter(new))
    stay = {part: kept(seen.author(part), is_asked_for=is_asked_for and part == first) for part in new}
    made = {part: one for part, one in new.items() if not stay[part]}
    (why,), brief, (summary,) = (made[part].texts if part in made else seen.texts(part) for part in get_args(Part))
    notes = {part: {**asdict(one.made_by), "written": mark(*one.texts)} for part, one in made.items()}
    is_new = SQL.run(
        conn, "overlay_save", story_id=story_id, why_it_matters=why, summary=summary, citations=Json({**(cited or {}), **notes}),
        one_liner=brief[0], two_liner=brief[1], elevator=brief[2], analysis_state=analysis and analysis.state,
        confidence=analysis and analysis.confidence and round(analysis.confidence, 2),
        time_saved_seconds=time_saved_seconds if "brief" in made else None,
    )  # fmt: skip
    return stay[first], is_new > 0
