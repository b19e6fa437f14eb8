"""Whose words a stored text are: the pipeline's own, a person's, or nobody knows.

Beside each text the pipeline notes the hash of what it wrote (in ``story_overlays.citations``). A text that no
longer has that hash was edited by a person and is never overwritten.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Author = Literal["nobody", "pipeline", "person", "unknown"]


def mark(*texts: str | None) -> str:
    """The hash that is noted for texts that the pipeline wrote."""
    return hashlib.sha256("\x1f".join(text or "" for text in texts).encode()).hexdigest()[:32]


def author(note: Mapping[str, Any] | None, *texts: str | None) -> Author:
    """Who wrote ``texts``, where ``note`` is what the pipeline noted when it last wrote them.

    ``unknown``: there is a text and no note, as in rows that an earlier version wrote.
    """
    written = (note or {}).get("written")
    if written is not None:
        return "pipeline" if written == mark(*texts) else "person"
    return "unknown" if any(texts) else "nobody"


def kept(author: Author, *, is_asked_for: bool) -> str | None:
    """The outcome where a text stays as it is, or None: a person's always does, an unknown one's unless a person asks anew."""
    if author == "person":
        return "kept_edited"
    return "kept_existing" if author == "unknown" and not is_asked_for else None
