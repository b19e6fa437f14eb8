"""Reads channels and videos through YouTube's Data API. Without a key, reads a channel's feed and a video's title."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from actors.engine.canonical import split
from actors.engine.contract import Author, ContentItem, ContentSource, EngineError
from actors.engine.dates import read_date
from actors.engine.fetch import Fetched
from actors.engine.text import decode, text_at

Get = Callable[[str], Fetched]

FEED = "https://www.youtube.com/feeds/videos.xml"
_MOST = 50  # videos in one answer
_HOSTS = {"youtube.com", "www.youtube.com", "m.youtube.com"}
_CHANNEL = re.compile(r"(?:(?i:https?://(?:www\.|m\.)?youtube\.com)/channel/)?(UC[\w-]{22})(?:[/?#].*)?", re.ASCII)
_VIDEO = re.compile(
    r"https?://(?:youtu\.be/|(?:www\.|m\.)?youtube\.com/(?:watch/?\?(?:[^#]*&)?v=|(?:shorts|live|embed)/))([\w-]{11})(?![\w-])",
    re.ASCII | re.IGNORECASE,
)
# A page names several channels. This pattern finds the channel that owns the page.
_OWN_CHANNEL = re.compile(
    r"(?:rel=\"canonical\" href=\"https://www\.youtube\.com/channel/|itemprop=\"identifier\" content=\"|"
    r"\"externalId\":\"|feeds/videos\.xml\?channel_id=)(UC[\w-]{22})",
    re.ASCII,
)


def is_youtube(url: str) -> bool:
    """Return whether an address is a page or a feed of YouTube."""
    return split(url).hostname in _HOSTS


def video_id(url: str) -> str | None:
    """Return the id of the video that ``url`` shows, or None."""
    match = _VIDEO.match(url.strip())
    return match[1] if match else None


def feed_url(url: str, get: Get) -> str:
    """Return the feed address of the channel or playlist in ``url``. An address of another site stays unchanged."""
    text = url.strip()
    if channel := _CHANNEL.fullmatch(text):
        return f"{FEED}?channel_id={channel[1]}"
    parts = split(text)
    if parts.hostname not in _HOSTS or parts.path.startswith("/feeds/"):
        return text
    if playlist := parse_qs(parts.query).get("list"):
        return f"{FEED}?playlist_id={quote(playlist[0])}"
    if not parts.path.startswith(("/@", "/c/", "/user/")):
        raise EngineError("not_a_feed", f"expected a channel, handle or playlist of YouTube, got {text[:200]}")
    page = decode(get(text).body)
    if (own := _OWN_CHANNEL.search(page)) is None:
        raise EngineError("not_a_feed", f"{text[:200]} does not name its channel")
    return f"{FEED}?channel_id={own.group(1)}"


def describe(video: str, get: Get) -> ContentItem:
    """Return a video's title and author, by oEmbed. The item has no text, because a video's page has no article."""
    page = f"https://www.youtube.com/watch?v={video}"
    answer = get(f"https://www.youtube.com/oembed?format=json&url={quote(page, safe='')}")
    data = _json(answer, f"{page}: its description")
    return ContentItem(
        id=video,
        title=text_at(data, "title"),
        url=page,
        source_type="youtube",
        content_type="video",
        canonical_url=page,
        author=Author.named(text_at(data, "author_name"), text_at(data, "author_url")),
        metadata={"videoId": video},
    )


def _json(answer: Fetched, what: str) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise EngineError("fetch_failed", f"{what} is not JSON") from error


def channel_of(feed_url: str) -> str | None:
    """Return the channel in the address of a YouTube feed, or None for the feed of a playlist or of another site."""
    return None if not feed_url.startswith(FEED) else parse_qs(urlsplit(feed_url).query).get("channel_id", [None])[0]


class DataApi:
    """Calls YouTube's Data API at the address ``base`` through the function ``get``, which adds the API key."""

    def __init__(self, get: Get, base: str) -> None:
        self._get = get
        self._base = base

    def channel(self, channel: str, feed_url: str) -> ContentSource:
        """Return the newest videos of a channel. Raises EngineError, for example if the day's quota is used up."""
        uploads = "UU" + channel.removeprefix("UC")
        listed = self._ask("playlistItems", part="contentDetails", playlistId=uploads)
        videos = self.videos(text_at(entry.get("contentDetails"), "videoId") for entry in listed)
        name = next((video.author.name for video in videos if video.author), "")
        return ContentSource(id=feed_url, name=name, url=feed_url, source_type="youtube", items=videos)

    def videos(self, ids: Iterable[str]) -> list[ContentItem]:
        """Return the videos with these ids, as items of a feed."""
        wanted = ",".join(filter(None, ids))
        found = self._ask("videos", part="snippet,contentDetails", id=wanted) if wanted else []
        return [_item(entry) for entry in found if text_at(entry, "id")]

    def _ask(self, method: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._get(f"{self._base}/{method}?{urlencode({**parameters, 'maxResults': _MOST})}")
        data = _json(answer, f"the Data API's answer to {method}")
        entries = data.get("items") if isinstance(data, dict) else None
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _item(entry: dict[str, Any]) -> ContentItem:
    video = text_at(entry, "id")
    snippet = entry.get("snippet")
    language = text_at(snippet, "defaultAudioLanguage") or text_at(snippet, "defaultLanguage")
    return ContentItem(
        id=f"yt:video:{video}",  # the public feed has the same id, so that a new key causes no new items
        title=text_at(snippet, "title"),
        description=text_at(snippet, "description"),
        url=f"https://www.youtube.com/watch?v={video}",
        source_type="youtube",
        content_type="video",
        published_at=read_date(text_at(snippet, "publishedAt")),
        duration=_seconds(text_at(entry.get("contentDetails"), "duration")),
        metadata={"videoId": video},
        author=Author.named(text_at(snippet, "channelTitle")),
        language=language.split("-")[0].lower() or None,
    )


def _seconds(text: str) -> float | None:
    """Return the number of seconds in a duration such as ``PT1H2M3S``."""
    try:
        return TypeAdapter(timedelta).validate_python(text).total_seconds()
    except ValidationError:
        return None
