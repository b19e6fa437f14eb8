"""The outcomes of an item, and every fact that the pipeline knows about each of them: the one place for a new outcome."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """A value of ``item_outcomes.outcome``: its ``raw_items.status``, and words about it.

    - ``passes``: may be gone at the next try.
    - ``feed``: the feed's own text may stand in for the page.
    - ``obstacle``: a page shows this instead of its text.
    - ``again``: if the feed changes the entry, the page is fetched again.

    Pending ones are not final. Skipped and failed ones are the reasons that an Engine may give.
    """

    status: str
    traits: frozenset[str]

    def __new__(cls, value: str, status: str = "", traits: str = "") -> Self:
        """One outcome; a look-up by value gives the others."""
        outcome = str.__new__(cls, value)
        outcome._value_ = value
        outcome.status = status
        outcome.traits = frozenset(traits.split())
        return outcome

    QUEUED = "queued", "pending"  # waiting for fetch-content
    RETRYING = "retrying", "pending"  # a temporary fault; a further job is queued

    STORED = "stored", "completed", "again"  # became a story
    UPDATED = "updated", "completed", "again"  # was edited at its source; its story follows
    DUPLICATE = "duplicate", "completed"  # another item's story has this text or address
    RETRACTED = "retracted", "completed", "again"  # was a story, and its source took it back

    BACKLOG = "backlog", "skipped"  # older than the items that a new source brings at first
    FILTERED = "filtered", "skipped", "again"  # a filter dropped it
    TOO_SHORT = "too_short", "skipped"  # less text than a story needs
    PAYWALL = "paywall", "skipped", "feed obstacle"  # the page shows its text to subscribers only
    CONSENT = "consent", "skipped", "feed obstacle"  # the page asks for consent instead of showing its text
    BLOCKED = "blocked", "skipped", "feed again obstacle"  # asks for a person's proof, or refuses us or our country
    NO_TEXT = "no_text", "skipped", "feed"  # there is a page, and no text in it; or an Engine that gives none
    NO_URL = "no_url", "skipped"  # neither text nor an address to fetch it from
    UNSUPPORTED_TYPE = "unsupported_type", "skipped", "feed"  # not a page: an image, an archive, a PDF

    INVALID_URL = "invalid_url", "failed"  # its address is not valid
    BLOCKED_ADDRESS = "blocked_address", "failed"  # its address leads into a private network
    NOT_FOUND = "not_found", "failed", "again"  # 404
    GONE = "gone", "failed"  # 410
    FORBIDDEN = "forbidden", "failed", "feed again"  # 401, 403, 451
    TOO_LARGE = "too_large", "failed", "feed"  # more bytes or elements than are read
    UNREADABLE = "unreadable", "failed", "feed"  # takes too much time or memory, or ends the process that reads it
    TOO_MANY_REDIRECTS = "too_many_redirects", "failed"  # a loop, mostly
    RATE_LIMITED = "rate_limited", "failed", "passes feed again"  # the site kept answering 429 or 503
    TIMEOUT = "timeout", "failed", "passes feed again"  # the site took too long each time
    FETCH_FAILED = "fetch_failed", "failed", "passes feed again"  # not reached, or an error each time
    ENGINE_FAILED = "engine_failed", "failed", "passes feed again"  # the same of the Engine
    NOT_A_FEED = "not_a_feed", "failed"  # an address of YouTube, but not of a video
    ABANDONED = "abandoned", "failed", "again"  # its jobs were lost or failed repeatedly

    @classmethod
    def having(cls, trait: str) -> frozenset[Outcome]:
        """The outcomes with a word."""
        return frozenset(one for one in cls if trait in one.traits)


IN_FLIGHT = frozenset(outcome for outcome in Outcome if outcome.status == "pending")
REASONS = frozenset(outcome for outcome in Outcome if outcome.status in {"skipped", "failed"})
"""Why a page or feed is unavailable."""


def one_of(known: frozenset[Outcome], code: str) -> Outcome:
    """The outcome of this name. Raises ValueError if it is unknown."""
    if code not in known:
        raise ValueError(f"expected one of {', '.join(sorted(known))}, got {code!r}; actors/outcomes.py has them all")
    return Outcome(code)
