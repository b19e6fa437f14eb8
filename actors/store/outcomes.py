"""What can become of a raw item: a closed list, and what each means for ``raw_items.status``."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The value of ``item_outcomes.outcome``. Only the first two are not final."""

    QUEUED = "queued"
    """Waiting for fetch-content."""
    RETRYING = "retrying"
    """Something that may pass went wrong; a further job is queued."""

    STORED = "stored"
    """Became a story."""
    UPDATED = "updated"
    """Was edited at its source; its story follows."""
    DUPLICATE = "duplicate"
    """Another item's story has this text or address."""
    RETRACTED = "retracted"
    """Was a story, and its source took it back."""

    BACKLOG = "backlog"
    """Older than what a new source brings at first."""
    TOO_SHORT = "too_short"
    """Less text than a story needs."""
    PAYWALL = "paywall"
    """The page shows its text to subscribers only."""
    CONSENT = "consent"
    """The page asks for consent instead of showing its text."""
    NO_TEXT = "no_text"
    """There is a page, and no text in it; or an Engine that gives none."""
    NO_URL = "no_url"
    """Neither text nor an address to fetch it from."""
    UNSUPPORTED_TYPE = "unsupported_type"
    """Not a page: an image, an archive, a PDF."""

    INVALID_URL = "invalid_url"
    """Its address is none."""
    BLOCKED_ADDRESS = "blocked_address"
    """Its address leads into a private network."""
    NOT_FOUND = "not_found"
    """404."""
    GONE = "gone"
    """410."""
    FORBIDDEN = "forbidden"
    """401, 403, 451."""
    TOO_LARGE = "too_large"
    """More bytes or elements than are read."""
    UNREADABLE = "unreadable"
    """Reading it takes too much time or memory, or ends the process that reads it."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    """A loop, mostly."""
    RATE_LIMITED = "rate_limited"
    """The site kept answering 429 or 503."""
    TIMEOUT = "timeout"
    """The site took too long each time."""
    FETCH_FAILED = "fetch_failed"
    """The site could not be reached or answered with an error each time."""
    ENGINE_FAILED = "engine_failed"
    """The Engine could not be reached or answered with an error each time."""
    NOT_A_FEED = "not_a_feed"
    """An address of YouTube that is no video's."""
    ABANDONED = "abandoned"
    """Its jobs were lost or failed time and again."""


IN_FLIGHT = frozenset({Outcome.QUEUED, Outcome.RETRYING})

_COMPLETED = frozenset({Outcome.STORED, Outcome.UPDATED, Outcome.DUPLICATE, Outcome.RETRACTED})
_SKIPPED = frozenset(
    {
        Outcome.BACKLOG,
        Outcome.TOO_SHORT,
        Outcome.PAYWALL,
        Outcome.CONSENT,
        Outcome.NO_TEXT,
        Outcome.NO_URL,
        Outcome.UNSUPPORTED_TYPE,
    }
)


def status_of(outcome: Outcome) -> str:
    """The ``raw_items.status`` that goes with an outcome: pending, completed, skipped or failed."""
    if outcome in IN_FLIGHT:
        return "pending"
    if outcome in _COMPLETED:
        return "completed"
    return "skipped" if outcome in _SKIPPED else "failed"
