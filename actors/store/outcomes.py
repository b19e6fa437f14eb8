"""The outcomes of a raw item: a closed list, each with its ``raw_items.status``."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """A value of ``item_outcomes.outcome``, with its ``raw_items.status``. Pending ones are not final."""

    status: str

    def __new__(cls, value: str, status: str = "") -> Self:
        """One outcome; a look-up by value gives no status."""
        outcome = str.__new__(cls, value)
        outcome._value_ = value
        outcome.status = status
        return outcome

    QUEUED = "queued", "pending"
    """Waiting for fetch-content."""
    RETRYING = "retrying", "pending"
    """Something that may pass went wrong; a further job is queued."""

    STORED = "stored", "completed"
    """Became a story."""
    UPDATED = "updated", "completed"
    """Was edited at its source; its story follows."""
    DUPLICATE = "duplicate", "completed"
    """Another item's story has this text or address."""
    RETRACTED = "retracted", "completed"
    """Was a story, and its source took it back."""

    BACKLOG = "backlog", "skipped"
    """Older than the items that a new source brings at first."""
    TOO_SHORT = "too_short", "skipped"
    """Less text than a story needs."""
    PAYWALL = "paywall", "skipped"
    """The page shows its text to subscribers only."""
    CONSENT = "consent", "skipped"
    """The page asks for consent instead of showing its text."""
    NO_TEXT = "no_text", "skipped"
    """There is a page, and no text in it; or an Engine that gives none."""
    NO_URL = "no_url", "skipped"
    """Neither text nor an address to fetch it from."""
    UNSUPPORTED_TYPE = "unsupported_type", "skipped"
    """Not a page: an image, an archive, a PDF."""

    INVALID_URL = "invalid_url", "failed"
    """Its address is none."""
    BLOCKED_ADDRESS = "blocked_address", "failed"
    """Its address leads into a private network."""
    NOT_FOUND = "not_found", "failed"
    """404."""
    GONE = "gone", "failed"
    """410."""
    FORBIDDEN = "forbidden", "failed"
    """401, 403, 451."""
    TOO_LARGE = "too_large", "failed"
    """More bytes or elements than are read."""
    UNREADABLE = "unreadable", "failed"
    """Reading it takes too much time or memory, or ends the process that reads it."""
    TOO_MANY_REDIRECTS = "too_many_redirects", "failed"
    """A loop, mostly."""
    RATE_LIMITED = "rate_limited", "failed"
    """The site kept answering 429 or 503."""
    TIMEOUT = "timeout", "failed"
    """The site took too long each time."""
    FETCH_FAILED = "fetch_failed", "failed"
    """The site could not be reached or answered with an error each time."""
    ENGINE_FAILED = "engine_failed", "failed"
    """The Engine could not be reached or answered with an error each time."""
    NOT_A_FEED = "not_a_feed", "failed"
    """An address of YouTube that is no video's."""
    ABANDONED = "abandoned", "failed"
    """Its jobs were lost or failed time and again."""


IN_FLIGHT = frozenset(outcome for outcome in Outcome if outcome.status == "pending")
