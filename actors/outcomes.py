"""Defines the outcomes of an item, each with its status and traits. To add an outcome, change only this module."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """Lists the values of ``item_outcomes.outcome``, each with ``raw_items.status`` (pending: not final) and traits.

    - ``passes``: the fault is temporary, so that the next attempt may succeed.
    - ``feed``: the feed's own text may replace the page.
    - ``obstacle``: instead of its text, the page shows a paywall, a consent form or the like.
    - ``again``: if the feed changes the entry, the page is fetched again.
    """

    status: str
    traits: frozenset[str]

    def __new__(cls, value: str, status: str = "", traits: str = "") -> Self:
        """Make an outcome. Type checkers need the defaults for the look-up ``Outcome(value)``."""
        outcome = str.__new__(cls, value)
        outcome._value_ = value
        outcome.status = status
        outcome.traits = frozenset(traits.split())
        return outcome

    QUEUED = "queued", "pending"  # waiting for fetch-content
    RETRYING = "retrying", "pending"  # after a temporary fault, a further job is queued

    STORED = "stored", "completed", "again"  # became a story
    UPDATED = "updated", "completed", "again"  # was edited at its source, and its story was updated
    DUPLICATE = "duplicate", "completed"  # the story of another item has this text or address
    RETRACTED = "retracted", "completed", "again"  # was a story, and its source removed the page

    BACKLOG = "backlog", "skipped"  # older than the items that a new source brings in
    FILTERED = "filtered", "skipped", "again"  # a filter dropped the item
    TOO_SHORT = "too_short", "skipped"  # less text than a story needs
    PAYWALL = "paywall", "skipped", "feed obstacle"  # the page shows its text to subscribers only
    CONSENT = "consent", "skipped", "feed obstacle"  # the page asks for consent instead of showing its text
    BLOCKED = "blocked", "skipped", "feed again obstacle"  # asks for proof of a human, or refuses a country
    NO_TEXT = "no_text", "skipped", "feed"  # the page has no text, or the Engine does not give any
    NO_URL = "no_url", "skipped"  # the item has neither text nor an address to fetch it from
    UNSUPPORTED_TYPE = "unsupported_type", "skipped", "feed"  # the address is no page: an image, an archive, a PDF

    INVALID_URL = "invalid_url", "failed"  # the item's address is not valid
    BLOCKED_ADDRESS = "blocked_address", "failed"  # the item's address is in a private network
    NOT_FOUND = "not_found", "failed", "again"  # 404
    GONE = "gone", "failed"  # 410
    FORBIDDEN = "forbidden", "failed", "feed again"  # 401, 403, 451
    TOO_LARGE = "too_large", "failed", "feed"  # more bytes or elements than are read
    UNREADABLE = "unreadable", "failed", "feed"  # the page takes too much time or memory, or crashes its reader process
    TOO_MANY_REDIRECTS = "too_many_redirects", "failed"  # usually a loop
    RATE_LIMITED = "rate_limited", "failed", "passes feed again"  # the site kept answering 429 or 503
    TIMEOUT = "timeout", "failed", "passes feed again"  # the site took too long each time
    FETCH_FAILED = "fetch_failed", "failed", "passes feed again"  # unreachable, or an error, each time
    ENGINE_FAILED = "engine_failed", "failed", "passes feed again"  # the Engine failed each time
    NOT_A_FEED = "not_a_feed", "failed"  # an address of YouTube, but not of a video
    ABANDONED = "abandoned", "failed", "again"  # the item's jobs were lost or failed repeatedly

    @classmethod
    def having(cls, trait: str) -> frozenset[Outcome]:
        """Return the outcomes with this trait."""
        return frozenset(one for one in cls if trait in one.traits)


IN_FLIGHT = frozenset(outcome for outcome in Outcome if outcome.status == "pending")
REASONS = frozenset(outcome for outcome in Outcome if outcome.status in {"skipped", "failed"})
"""The outcomes that say why a page or feed is unavailable."""


def one_of(known: frozenset[Outcome], code: str) -> Outcome:
    """Return the outcome with the value ``code``. Raises ValueError if ``known`` does not contain it."""
    if code not in known:
        raise ValueError(f"expected one of {', '.join(sorted(known))}, got {code!r}; actors/outcomes.py has them all")
    return Outcome(code)
