"""Defines the contract with an Engine, which fetches pages and feeds. An Engine on another server may omit some fields."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BeforeValidator, Field

from actors.engine.canonical import LONGEST_ADDRESS
from actors.engine.text import clean, one_line
from actors.outcomes import REASONS, Outcome, one_of
from zeke_jobs import Payload

SourceType = Literal["youtube", "arxiv", "rss", "twitter", "blog", "podcast", "paper", "semantic-scholar"]
ContentType = Literal["video", "audio", "text", "paper", "article", "post"]
TextOrigin = Literal["page", "structured", "feed", "description", "upload"]

LONGEST_TEXT = 1_000_000  # characters of an article; the rest is dropped
LONGEST_FRAGMENT = 200_000  # characters of a feed's text for an item
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # an earlier publication is a default value
_LONGEST_METADATA = 1_000_000  # characters in JSON
_LONGEST_ID = 500
_LONGEST_DURATION = 31 * 86_400.0  # seconds


def short_identity(text: str) -> str:
    """Return the text, or the text's hash if it has more than 500 characters, because an index needs short values."""
    text = clean(text)
    return text if len(text) <= _LONGEST_ID else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def bounded_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the cleaned metadata, or an empty dict if it is too large, too deeply nested, or not JSON."""
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False, default=str))
    except (RecursionError, ValueError):
        return {}
    return {clean(key): _cleaned(value) for key, value in metadata.items()} if size <= _LONGEST_METADATA else {}


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean(str(key)): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return clean(value) if isinstance(value, str) else value


def bounded_header(value: str | None, most: int = 1000) -> str | None:
    """Return a header or address, or None if it is empty or too long: a shortened value would be wrong."""
    return clean(value) if value and len(value) <= most else None


def plausible_duration(seconds: float | None) -> float | None:
    """Return a recording's length in seconds, or None if it is negative or more than 31 days."""
    return seconds if seconds is not None and 0 <= seconds <= _LONGEST_DURATION else None


def _publication(moment: datetime | None) -> datetime | None:
    """Return the time, or None if it is before 1970. Without a zone, it is UTC. A future time becomes the present."""
    moment = moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment
    return min(moment, datetime.now(UTC)) if moment and moment >= EARLIEST else None


class EngineError(Exception):
    """The Engine could not answer a request.

    Args:
        code: The reason: an ``Outcome`` whose status is skipped or failed.
        message: The reason as a sentence, for a person.
        transient: Whether a later try may succeed. By default, this depends on ``code``.
        retry_after: The seconds that the server asked us to wait, or None.
        is_away: Whether the Engine itself is unavailable, so that every page and feed fails.
        is_unreachable: Whether the host cannot be reached, so that all its pages and feeds fail.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        transient: bool | None = None,
        retry_after: float | None = None,
        is_away: bool = False,
        is_unreachable: bool = False,
    ) -> None:
        super().__init__(message[:1000])
        self.code = one_of(REASONS, code)
        self.transient = "passes" in self.code.traits if transient is None else transient
        self.retry_after = retry_after
        self.is_away = is_away
        self.is_unreachable = is_unreachable


_Word = Annotated[str, AfterValidator(lambda text: clean(text[:_LONGEST_ID]))]
_Line = Annotated[str, AfterValidator(one_line)]
_Name = Annotated[str, AfterValidator(lambda text: one_line(text, 200))]
_Fragment = Annotated[str, AfterValidator(lambda text: clean(text[:LONGEST_FRAGMENT]))]
_Text = Annotated[str, AfterValidator(lambda text: clean(text[:LONGEST_TEXT]))]
_Url = Annotated[str, AfterValidator(lambda url: bounded_header(url, LONGEST_ADDRESS) or "")]
_Address = Annotated[str | None, AfterValidator(lambda url: bounded_header(url, LONGEST_ADDRESS))]
_Header = Annotated[str | None, AfterValidator(bounded_header)]
_Obstacle = Annotated[Outcome | None, BeforeValidator(lambda code: code and one_of(Outcome.having("obstacle"), code))]
_Metadata = Annotated[dict[str, Any], AfterValidator(bounded_metadata)]


class Author(Payload):
    """Describes the author of an item."""

    id: _Word = ""
    name: _Name = ""
    url: _Address = None

    @classmethod
    def named(cls, name: str, url: str = "") -> Author | None:
        """Return the author with this name, or None if the name is empty."""
        author = cls(name=name, url=url or None)
        return author if author.name else None


class ContentItem(Payload):
    """Describes an article, video or post, in texts of limited size. An Engine may omit ``text`` and all later fields.

    Attributes:
        id: An id that is stable within the source: the feed's guid, or else the address. A long id becomes a hash.
        published_at: The time of publication. A time before 1970 becomes None. A future time becomes the current time.
        duration: The length of a recording in seconds, up to 31 days.
        text: The body as plain text; None if the Engine does not extract it. ``markdown`` keeps code blocks.
        content_hash: The hash of ``text``, as the Engine computes it.
        canonical_url: The address that the page itself declares.
        text_choice: The extraction method that found the text, and the reason for choosing it.
        obstacle: What the page shows instead of the item's text, as an outcome such as ``paywall``; otherwise None.
    """

    id: Annotated[str, AfterValidator(short_identity)]
    title: _Line = ""
    description: _Fragment = ""
    url: _Url = ""
    source_type: SourceType = "rss"
    content_type: ContentType = "article"
    published_at: Annotated[datetime | None, AfterValidator(_publication)] = None
    duration: Annotated[float | None, AfterValidator(plausible_duration)] = None
    metadata: _Metadata = Field(default_factory=dict)
    author: Author | None = None
    text: _Text | None = None
    markdown: _Text | None = None
    language: _Word | None = None
    content_hash: _Word | None = None
    canonical_url: _Address = None
    text_origin: TextOrigin | None = None
    text_choice: _Word | None = None
    obstacle: _Obstacle = None


class ContentSource(Payload):
    """Describes a feed or channel. An Engine may omit ``items`` and all fields after it.

    Attributes:
        items: The items in the feed's order, usually the newest first; None if the Engine does not list them.
        etag: The server's ETag. The next request sends back the ETag and ``last_modified``.
        not_modified: Whether the server reports no change, so that ``items`` is empty.
        next_check_at: The time before which the server does not want another request (ttl, max-age, Expires).
        moved_to: The feed's current address, if every redirect was permanent.
        gone: Whether the server reports that the feed no longer exists (410).
    """

    id: _Url
    name: _Line = ""
    description: _Fragment = ""
    url: _Url = ""
    source_type: SourceType = "rss"
    metadata: _Metadata = Field(default_factory=dict)
    is_active: bool = True
    last_checked: datetime | None = None
    items: list[ContentItem] | None = None
    etag: _Header = None
    last_modified: _Header = None
    not_modified: bool = False
    next_check_at: datetime | None = None
    moved_to: _Address = None
    gone: bool = False


class Found(Payload):
    """Holds the feeds that were found behind an address, each with its current items."""

    feeds: list[ContentSource]


class Engine(Protocol):
    """Fetches untrusted pages and feeds. Each failure is an ``EngineError`` with the reason."""

    def fetch_item(self, url: str) -> ContentItem:
        """Get the page at ``url`` and, if the Engine extracts it, the page's text."""

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        """Get the feed at ``url``. With the ``etag`` or ``last_modified`` of the last answer, the request is conditional."""


class Finder(Engine, Protocol):
    """Describes an Engine that also finds the feeds behind an address."""

    def discover(self, text: str) -> Found:
        """Find the feeds behind a person's input, which may name a feed, page, channel, profile or repository."""
