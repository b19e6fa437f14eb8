"""The identity of an insight: a hash of its normalised summary and quote."""

import hashlib
import unicodedata
from collections.abc import Sequence
from uuid import UUID, uuid5

from actors.ai.words import normalise

_NAMESPACE = UUID("b7b1f3a0-7d59-5c0e-9a43-3a1f0f6e2d11")


def insight_key(summary: str, quote: str | None) -> str:
    """The key, from the words of the summary, and from the quote without case and white space."""
    exact = " ".join(unicodedata.normalize("NFKC", quote or "").casefold().split())
    return hashlib.sha256(f"{normalise(summary)}|{exact}".encode()).hexdigest()


def highlight_id(story_id: UUID, scope: Sequence[str], key: str) -> UUID:
    """The id of a highlight: the same each time for one story, ``scope`` (its team, its person) and key."""
    return uuid5(_NAMESPACE, "|".join([str(story_id), *scope, key]))
