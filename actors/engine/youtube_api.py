"""YouTube's Data API, which needs a key: fifty videos of a channel with their lengths, and a video's description.

One poll costs 2 of the 10,000 units of a day.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import TypeAdapter, ValidationError

from actors.engine.contract import Author, ContentItem, ContentSource, EngineError
from actors.engine.dates import read_date
from actors.engine.text import text_at
from actors.engine.youtube import FEED, Get

_MOST = 50


def channel_of(feed_url: str) -> str | None:
    """The channel of a keyless feed's address; None for a playlist, or another site's feed."""
    return None if not feed_url.startswith(FEED) else parse_qs(urlsplit(feed_url).query).get("channel_id", [None])[0]


class DataApi:
    """Asks the API at ``base`` by ``get``, which sends the key."""

    def __init__(self, get: Get, base: str) -> None:
        self._get = get
        self._base = base

    def channel(self, channel: str, feed_url: str) -> ContentSource:
        """The newest videos of a channel.

        Raises:
            EngineError: with the reason; also when the day's units are used up.
        """
        uploads = "UU" + channel.removeprefix("UC")
        listed = self._ask("playlistItems", part="contentDetails", playlistId=uploads, maxResults=str(_MOST))
        ids = [text_at(entry.get("contentDetails"), "videoId") for entry in _entries(listed)]
        videos = self.videos([one for one in ids if one])
        name = next((video.author.name for video in videos if video.author), "")
        return ContentSource(id=feed_url, name=name, url=feed_url, source_type="youtube", items=videos)

    def videos(self, ids: Iterable[str]) -> list[ContentItem]:
        """Videos by id, as items of a feed.

        Raises:
            EngineError: with the reason.
        """
        wanted = list(ids)
        if not wanted:
            return []
        found = self._ask("videos", part="snippet,contentDetails", id=",".join(wanted), maxResults=str(_MOST))
        return [_item(entry) for entry in _entries(found) if text_at(entry, "id")]

    def _ask(self, method: str, **parameters: str) -> dict[str, Any]:
        answer = self._get(f"{self._base}/{method}?{urlencode(parameters)}")
        try:
            data = json.loads(answer.body)
        except ValueError as error:
            raise EngineError("fetch_failed", f"the Data API's answer to {method} is not JSON") from error
        return data if isinstance(data, dict) else {}


def _entries(answer: dict[str, Any]) -> list[dict[str, Any]]:
    entries = answer.get("items")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _item(entry: dict[str, Any]) -> ContentItem:
    video = text_at(entry, "id")
    snippet = entry.get("snippet")
    language = text_at(snippet, "defaultAudioLanguage") or text_at(snippet, "defaultLanguage")
    return ContentItem(
        id=f"yt:video:{video}",  # the id of the keyless feed, so that a key makes no new items
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
    """``PT1H2M3S``; None for a broadcast that has no length yet."""
    try:
        return TypeAdapter(timedelta).validate_python(text).total_seconds()
    except ValidationError:
        return None
