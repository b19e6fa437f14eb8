"""Runs dedupe-insights, which stores each insight once, under a stable id."""

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Any, get_args
from uuid import UUID, uuid5

from psycopg2.extensions import connection as Connection

from actors.ai.words import words
from actors.insights.candidates import Kind
from actors.insights.relevance import rating, score
from actors.schema import DedupeInsights, Insight
from actors.store import highlights, texts
from zeke_jobs import Context
from zeke_jobs.postgres.queries import Row

_NAMESPACE = UUID("b7b1f3a0-7d59-5c0e-9a43-3a1f0f6e2d11")


def dedupe_insights(payload: DedupeInsights, ctx: Context) -> dict[str, Any]:
    """Store a story's new insights, update the insights of the pipeline, and score all of the pipeline's highlights.

    Raises:
        Reject: the story does not exist.
    """
    with ctx.transaction() as tx:
        texts.hold(tx, payload.story_id)
        changes = store(tx, payload, highlights.of_story(tx, payload.story_id), ctx.settings_of("score-relevance"))
        is_new = changes["added"] or changes["updated"]
        output = {"outcome": "stored" if is_new else "unchanged", **changes}
        ctx.complete(output)
    return output


def store(
    tx: Connection, payload: DedupeInsights, stored: Sequence[Row], settings: Any, text_hash: str | None = None
) -> dict[str, int]:
    """Store insights as highlights, and score them. The caller locked the story, and read its highlights (``stored``).

    An insight that the pipeline stored before is updated. A new one of the pipeline is a duplicate if a person wrote it
    or all teams have it. A person's insight is a duplicate if this person wrote it before. If the current text's hash
    is given, the pipeline's insights that only earlier texts have are withdrawn. Returns the numbers of added, updated,
    withdrawn and duplicate insights.
    """
    changes: dict[str, int] = {}
    own: dict[str, Row] = {}
    taken: set[tuple[str | None, str]] = set()  # pairs of a person (or None) and a key
    for highlight in stored:
        key = insight_key(highlight.summary or "", highlight.quote)
        if highlight.origin == "system" and highlight.team_id == payload.team_id:
            own.setdefault(key, highlight)
        elif highlight.team_id in {None, payload.team_id}:
            taken |= {(highlight.created_by if highlight.origin == "user" else None, key), (None, key)}
    new: list[Row] = []
    known: list[Row] = []
    seen: set[tuple[str | None, str]] = set()
    for insight in payload.insights:
        key = insight_key(insight.summary, insight.quote)
        old = own.get(key) if insight.origin == "system" else None
        scoped = (payload.created_by if insight.origin == "user" else None, key)
        if scoped not in seen and (old or scoped not in taken):
            (known if old else new).append(_highlight(payload, insight, key, old))
            seen.add(scoped)
    if text_hash is not None:
        changes["withdrawn"] = highlights.withdraw(tx, stored, payload.team_id, text_hash, [one.id for one in known])
    if not stored and new:  # store the insights with their scores, so that no row is written twice
        rate = rating(tx, payload.story_id, settings)
        for one in (row for row in new if row.origin != "user"):
            one.metadata["relevance"] = rate(one)
    changes["added"] = highlights.write(tx, "insert", new)
    changes["updated"] = highlights.write(tx, "update", known)
    changes["duplicates"] = len(payload.insights) - len(new) - len(known)
    if stored:
        score(tx, payload.story_id, settings)
    return changes


def _highlight(payload: DedupeInsights, insight: Insight, key: str, known: Row | None) -> Row:
    named, usual = insight.metadata.get("kind"), "quote" if insight.origin == "user" and insight.quote else "insight"
    scope = [str(payload.team_id)] if payload.team_id else []
    if insight.origin == "user":
        scope.append(f"user:{payload.created_by}")
    context = {"context": insight.context.model_dump()} if insight.context else {}
    return Row(
        # A new highlight's id is a hash of the story, the team, the person if one wrote it, and the insight's key.
        id=known.id if known else uuid5(_NAMESPACE, "|".join([str(payload.story_id), *scope, key])),
        story_id=payload.story_id,
        team_id=payload.team_id,
        created_by=known.created_by if known else payload.created_by,
        kind=named if named in get_args(Kind) else usual,
        origin=insight.origin,
        title=insight.title,
        summary=insight.summary,
        quote=insight.quote,
        is_generated=insight.origin == "system",
        metadata={**insight.metadata, **context, "tags": list(insight.tags), "key": key},
    )


def insight_key(summary: str, quote: str | None) -> str:
    """Return the key of an insight: a hash of the summary's words and of the quote, without case and white space."""
    exact = " ".join(unicodedata.normalize("NFKC", quote or "").casefold().split())
    return hashlib.sha256(f"{' '.join(words(summary))}|{exact}".encode()).hexdigest()
