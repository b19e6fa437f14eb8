"""The author of a stored text: the pipeline, a person, or unknown.

The pipeline stores a hash of each text that it writes (in ``story_overlays.citations``). A text with another
hash was edited by a person and is never overwritten.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

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
