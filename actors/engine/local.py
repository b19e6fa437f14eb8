"""The Engine inside this process: combines safe fetching, feed reading and extraction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from actors.engine import reading, youtube
from actors.engine.article.transcript import CAPTIONS
from actors.engine.connect import Resolver, resolve
from actors.engine.contract import ContentItem, ContentSource, EngineError, Found, bounded_header
from actors.engine.dates import read_date
from actors.engine.discovery.addresses import is_mailbox
from actors.engine.discovery.discover import feeds_behind
from actors.engine.discovery.links import selector_of
from actors.engine.fetch import Fetched, Fetcher, Limits, parse
from actors.engine.mail.mailbox import read_mailbox
from actors.engine.reading import read_feed, read_page, selected_links
from actors.engine.settings import SiteSettings
from actors.engine.youtube import DataApi, channel_of

_HEADERS_AND_REDIRECTS = 1_000_000
_PAGE_TYPES = ("text/html", "text/plain", "application/xhtml", "application/xml", "text/xml")
_FILES = ("application/octet-stream", "binary/octet-stream")
_FEED_TYPES = ("text/", "application/", "binary/octet-stream")
_ACCEPT_PAGE = "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.5"
_ACCEPT_FEED = "application/atom+xml,application/rss+xml,application/rdf+xml;q=0.9,application/xml;q=0.8,*/*;q=0.5"
_ACCEPT_ANY = f"{_ACCEPT_FEED.removesuffix(',*/*;q=0.5')},text/html;q=0.7,*/*;q=0.5"
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.ASCII)


class LocalEngine:
    """Fetches in the worker's own process, and parses in reader processes; the default ``resolver`` is the system's."""

    def __init__(self, settings: SiteSettings, resolver: Resolver = resolve) -> None:
        self._settings = settings
        agent = f"zeke-jobs/0.1 (+{settings.contact})" if settings.contact else "zeke-jobs/0.1"
        self._fetcher = Fetcher(agent, tuple(settings.allow_networks), resolver, settings.credentials)

    @property
    def _youtube(self) -> DataApi | None:
        key = self._settings.youtube_key
        if key is None or not key.get_secret_value():
            return None
        limits = replace(self._limits(("application/json",)), redirects=0)  # never send the key to another host
        headers = {"X-Goog-Api-Key": key.get_secret_value()}  # a header, so that no error message contains the key
        return DataApi(lambda url: self._fetcher.get(url, limits, headers), self._settings.youtube_api)

    def close(self) -> None:
        """End the reader processes, so that a worker that stops leaves none."""
        reading.close()

    def fetch_item(self, url: str) -> ContentItem:
        if (video := youtube.video_id(url)) is not None:
            if (api := self._youtube) is not None and (known := api.videos([video])):
                return known[0]
            limits = self._limits(("application/json",))
            return youtube.describe(video, lambda address: self._fetcher.get(address, limits))
        is_file = url.partition("?")[0].lower().endswith((".srt", ".vtt"))
        limits = self._limits((*_PAGE_TYPES, *CAPTIONS, "application/json", *(_FILES if is_file else ())))
        answer = self._fetcher.get(url, limits, {"Accept": _ACCEPT_PAGE})
        if answer.status == 304:
            raise EngineError("fetch_failed", f"{url} answers 304 to a plain request")
        rule = self._settings.rule_for(answer.url)[1]
        media_type = answer.headers.get("content-type", "")
        return read_page(answer.body, answer.url, media_type, text=rule.text, remove=rule.remove)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        if is_mailbox(url):
            return read_mailbox(url, self._settings, etag)
        now = datetime.now(UTC)
        address = youtube.feed_url(url, lambda page: self._fetcher.get(page, self._limits(_PAGE_TYPES)))
        if (api := self._youtube) is not None and (channel := channel_of(address)) is not None:
            try:
                return api.channel(channel, address)
            except EngineError:
                pass  # the quota is used up or the API fails: read the public feed, with the newest fifteen videos
        accept, types = (_ACCEPT_PAGE, _PAGE_TYPES) if selector_of(url) else (_ACCEPT_FEED, _FEED_TYPES)
        headers = {"Accept": accept, "If-None-Match": etag, "If-Modified-Since": last_modified}
        try:
            sent = {name: value for name, value in headers.items() if value}
            answer = self._fetcher.get(address, self._limits(types), sent)
        except EngineError as error:
            if error.code == "gone":
                return ContentSource(id=url, url=url, is_active=False, last_checked=now, items=[], gone=True)
            raise
        served = {
            "etag": bounded_header(answer.headers.get("etag")),
            "last_modified": bounded_header(answer.headers.get("last-modified")),
            "moved_to": answer.moved_to and answer.moved_to + "".join(url.partition("#")[1:]),
        }
        if answer.status == 304:
            source = ContentSource(id=url, url=url, last_checked=now, items=[], not_modified=True)
        else:
            source = self.read(answer, address)
        wait = _asked_to_wait(answer.headers, source.metadata.get("ttlMinutes"), now)
        return source.model_copy(update={"next_check_at": wait, **served})

    def discover(self, text: str) -> Found:
        return Found(feeds=[self.fetch_source(text)] if is_mailbox(text) else feeds_behind(text, self))

    def get_any(self, url: str) -> Fetched:
        """Get a feed, or the page that names it."""
        return self._fetcher.get(url, self._limits(_FEED_TYPES), {"Accept": _ACCEPT_ANY})

    def fetch_present(self, url: str) -> ContentSource:
        """Get an existing feed at its current address."""
        parse(url)  # a podcast directory may name any text as an address
        source = self.fetch_source(url)
        if source.gone:
            raise EngineError("gone", f"{url} answers 410")
        return source.model_copy(update={"url": source.moved_to}) if source.moved_to else source

    def read(self, answer: Fetched, url: str) -> ContentSource:
        """Read an answer as a feed, or as a page with the links that a selector names."""
        content_type, most = answer.headers.get("content-type", ""), self._settings.max_entries
        if selector_of(url):
            return selected_links(answer.body, url, content_type=content_type, max_entries=most)
        return read_feed(answer.body, url, content_type=content_type, max_entries=most)

    def _limits(self, content_types: tuple[str, ...]) -> Limits:
        settings, is_feed = self._settings, content_types is _FEED_TYPES
        most = settings.feed_bytes if is_feed else settings.page_bytes
        seconds = (settings.feed_timeout if is_feed else settings.page_timeout).total_seconds()
        return Limits(most, most + _HEADERS_AND_REDIRECTS, seconds, settings.redirects, content_types)


def _asked_to_wait(headers: Mapping[str, str], ttl_minutes: int | None, now: datetime) -> datetime | None:
    """The latest of the times that ``ttl``, ``max-age`` and ``Expires`` name."""
    waits = [timedelta(minutes=ttl_minutes)] if ttl_minutes else []
    if match := _MAX_AGE.search(headers.get("cache-control", "").lower()):
        waits.append(timedelta(seconds=int(match.group(1))))
    elif (expires := read_date(headers.get("expires", ""))) is not None:  # servers also send "0" and "-1": do not wait
        waits.append(expires - now)
    longest = max(waits, default=timedelta(0))
    return now + min(longest, timedelta(days=30)) if longest > timedelta(0) else None
