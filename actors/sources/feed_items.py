"""A feed's entries as raw items, and the entries that a new source brings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from actors.engine.contract import ContentItem
from actors.store.items import NewItem
from actors.store.sources import PAGE
from zeke_jobs import Duration


class FirstFetch(BaseModel, extra="forbid", frozen=True):
    """What a new source brings: its newest ``items``, whatever their age, or only those published ``within`` this long.

    An entry without a date counts as new.
    """

    items: int = Field(default=10, ge=0)
    within: Duration | None = None


def split_first(
    entries: Sequence[ContentItem], first: FirstFetch, now: datetime
) -> tuple[list[ContentItem], list[ContentItem]]:
    """Split a new source's entries into the ones to bring in and its backlog."""
    earliest = None if first.within is None else now - first.within
    recent = [one for one in entries if one.published_at is None or earliest is None or one.published_at > earliest]
    # Undated entries keep the feed's order, which is newest first.
    recent.sort(key=lambda one: one.published_at or now, reverse=True)
    wanted = {one.id for one in recent[: first.items]}
    return [one for one in entries if one.id in wanted], [one for one in entries if one.id not in wanted]


def new_item(entry: ContentItem, source_type: str) -> NewItem:
    """An entry as a raw item, with the feed's text for it, in case its page gives none.

    A link on a page says less than its target's own title, and often changes.
    """
    is_video = entry.content_type == "video" or source_type == "youtube_channel"
    is_podcast = entry.content_type == "audio" or source_type == "podcast"
    told: dict[str, Any] = {
        "description": entry.description,
        "author": entry.author.name if entry.author else None,
        "duration": entry.duration,
        **entry.metadata,
    }
    return NewItem(
        external_id=entry.id,
        kind="video" if is_video else "podcast" if is_podcast else "article",
        title=None if source_type == PAGE else entry.title or None,
        url=entry.url or None,
        published_at=entry.published_at,
        metadata={name: value for name, value in told.items() if value not in (None, "", [])},
    )
