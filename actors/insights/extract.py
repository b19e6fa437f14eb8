"""Runs extract-highlights, which finds the highlights of a story and their positions in the text."""

import hashlib
from typing import Any

from actors.insights.dedupe import store
from actors.insights.selection import Selection, highlights
from actors.schema import DedupeInsights, ExtractHighlights
from actors.store import highlights as stored, texts
from zeke_jobs import Context


def extract_highlights(payload: ExtractHighlights, ctx: Context[Selection]) -> dict[str, Any]:
    """Find highlights that do not repeat the one-liner of the story's brief, store each only once, and score them.

    Highlights of an earlier text that are not found in the current text are withdrawn in the same transaction.

    Raises:
        Reject: the story does not exist.
    """
    text = texts.needed(ctx.db, payload.story_id)
    found = highlights(text.document, ctx.settings, text.title, text.overlay.brief[0] or "")
    text_hash = hashlib.sha256(text.document.encode()).hexdigest()[:16]
    new = DedupeInsights(
        story_id=text.id,
        team_id=payload.team_id,
        created_by=payload.user_id,
        insights=[each.insight(text_hash) for each in found],
    )
    output: dict[str, Any] = {"outcome": "extracted" if found else "nothing_found", "found": len(found)}
    with ctx.transaction() as tx:
        texts.hold(tx, text.id)
        known = stored.of_story(tx, text.id)
        output |= store(tx, new, known, ctx.settings_of("score-relevance"), text_hash)
        ctx.complete(output)
    return output
