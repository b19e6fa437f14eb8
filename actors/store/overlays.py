"""Overlays: the analysis of a story, and the author of each part: the pipeline, a person, or unknown.

The pipeline stores a hash of each text that it writes (in ``story_overlays.citations``). A text with another
hash was edited by a person and is never overwritten.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.ai.protocol import Analysis, Provenance
from actors.store.statements import SQL
from zeke_jobs import Reject

Author = Literal["nobody", "pipeline", "person", "unknown"]
Part = Literal["analysis", "brief", "summary"]


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

    def texts(self, part: Part) -> tuple[str | None, ...]:
        """The texts of a part."""
        return {"analysis": (self.why_it_matters,), "brief": self.brief, "summary": (self.summary,)}[part]

    def author(self, part: Part) -> Author:
        """The author of a part."""
        return author(self.citations.get(part), *self.texts(part))


def of_event(conn: Connection, story_id: UUID) -> tuple[dict[UUID, Overlay], int]:
    """The overlays of a story (created if missing) and of the other analysed stories of its event; the event's sources.

    They are locked until the transaction ends.

    Raises:
        Reject: the story does not exist any more.
    """
    for _ in range(2):
        found = {row["story_id"]: row for row in SQL.all(conn, "event_overlays", story_id=story_id)}
        if story_id in found:
            return {story: of_row(row) for story, row in found.items()}, max(1, found[story_id]["sources"])
        SQL.run(conn, "overlay_ensure", story_id=story_id)
    raise Reject(f"expected a story with id {story_id}, got one that was deleted meanwhile")


def save(
    conn: Connection,
    story_id: UUID,
    seen: Overlay,
    part: Literal["brief", "summary"],
    texts: Mapping[str, str | None],
    made_by: Provenance,
    *,
    is_asked_for: bool,
    **more: Any,
) -> tuple[str | None, bool]:
    """Replace the ``seen`` texts of a part, unless they stay.

    Returns the outcome of ``kept``, and whether anything changed.

    Raises:
        Reject: the story does not exist any more.
    """
    note = {part: _note(made_by, *texts.values())}
    for is_second in (False, True):
        if is_second:  # it was missing, or somebody changed it meanwhile
            SQL.one(conn, "story_hold", story_id=story_id)  # a story is locked before its overlay
            seen = of_event(conn, story_id)[0][story_id]
        if stays := kept(seen.author(part), is_asked_for=is_asked_for):
            return stays, False
        was = seen.citations.get(part)
        told = {"seen": list(seen.texts(part)), "seen_note": was and Json(was), "citations": Json(note)}
        if SQL.run(conn, f"overlay_save_{part}", story_id=story_id, **told, **texts, **more):
            return None, True
    return None, False


def of_row(row: Mapping[str, Any]) -> Overlay:
    """The overlay in a row; empty if the story has none yet."""
    brief = (row["brief_one_liner"], row["brief_two_liner"], row["brief_elevator"])
    return Overlay(row["why_it_matters"], brief, row["summary"], row["citations"] or {})


def save_analysis(
    conn: Connection,
    story_id: UUID,
    seen: Overlay,
    analysis: Analysis,
    cited: Mapping[str, Any],
    *,
    is_asked_for: bool,
    time_saved_seconds: int | None,
) -> tuple[str | None, bool]:
    """Store an analysis with its brief and its summary, and merge ``cited`` into the stored citations.

    ``seen`` is locked. Texts that stay are left out; of brief and summary also those of unknown origin.

    Returns:
        The outcome of ``kept`` for the analysis, and whether anything changed.
    """
    notes: dict[str, Any] = dict(cited)
    stays = kept(seen.author("analysis"), is_asked_for=is_asked_for)
    why, brief, summary = (analysis.why_it_matters,), seen.brief, seen.summary
    if stays:
        why = (seen.why_it_matters,)
    else:
        notes["analysis"] = _note(analysis.made_by, *why)
    if analysis.brief is None or kept(seen.author("brief"), is_asked_for=False):
        time_saved_seconds = None
    else:
        brief = (analysis.brief.one_liner, analysis.brief.two_liner, analysis.brief.elevator)
        notes["brief"] = _note(analysis.brief.made_by, *brief)
    told = analysis.summary
    if told and told.text is not None and not kept(seen.author("summary"), is_asked_for=False):
        summary = told.text
        notes["summary"] = _note(told.made_by, summary)
    is_new = SQL.run(
        conn, "overlay_save_analysis", story_id=story_id, why_it_matters=why[0], analysis_state=analysis.state,
        confidence=None if analysis.confidence is None else round(analysis.confidence, 2),
        one_liner=brief[0], two_liner=brief[1], elevator=brief[2], time_saved_seconds=time_saved_seconds,
        summary=summary, citations=Json(notes),
    )  # fmt: skip
    return stays, is_new > 0


def _note(made_by: Provenance, *texts: str | None) -> dict[str, Any]:
    return {**asdict(made_by), "written": mark(*texts)}
