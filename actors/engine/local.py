"""Defines the Engine that runs in this process. It fetches pages and feeds safely, reads them, and discovers feeds."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from actors.engine import reading, youtube
from actors.engine.article.transcript import CAPTIONS
from actors.engine.connect import Resolver, resolve
from actors.engine.contract import ContentItem, ContentSource, EngineError, Found, bounded_header
from actors.engine.dates import read_date
from actors.engine.discovery.addresses import is_mailbox, of_directory, of_known_site, typed, well_known
from actors.engine.discovery.links import selector_of
from actors.engine.fetch import Fetched, Fetcher, Limits, parse
from actors.engine.mail.mailbox import read_mailbox
from actors.engine.reading import feed_links, read_feed, read_page, selected_links
from actors.engine.settings import SiteSettings
from actors.engine.text import text_at
from actors.engine.youtube import DataApi, channel_of

_HEADERS_AND_REDIRECTS = 1_000_000
_PAGE_TYPES = ("text/html", "text/plain", "application/xhtml", "application/xml", "text/xml")
_FILES = ("application/octet-stream", "binary/octet-stream")
_FEED_TYPES = ("text/", "application/", "binary/octet-stream")
_ACCEPT_PAGE = "text/html,application/xhtml+xml;q=0.9,text/plain;q=0.5"
_ACCEPT_FEED = "application/atom+xml,application/rss+xml,application/rdf+xml;q=0.9,application/xml;q=0.8,*/*;q=0.5"
_ACCEPT_ANY = f"{_ACCEPT_FEED.removesuffix(',*/*;q=0.5')},text/html;q=0.7,*/*;q=0.5"
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.ASCII)
_MOST_FEEDS = 8  # maximum number of feeds of a page that are read
_PATIENCE = 60.0  # seconds for trying addresses


class LocalEngine:
    """Fetches in the worker's process, and parses in separate reader processes. ``resolver`` resolves host names."""

    def __init__(self, settings: SiteSettings, resolver: Resolver = resolve) -> None:
        self._settings = settings
        agent = f"zeke-jobs/0.1 (+{settings.contact})" if settings.contact else "zeke-jobs/0.1"
        self._fetcher = Fetcher(agent, tuple(settings.allow_networks), resolver, settings.credentials)

    @property
    def _youtube(self) -> DataApi | None:
        key = self._settings.youtube_key
        if key is None or not key.get_secret_value():
            return None
        limits = replace(self._limits(("application/json",)), redirects=0)  # the key must not reach another host
        headers = {"X-Goog-Api-Key": key.get_secret_value()}  # errors show the address, so the key is in a header
        return DataApi(lambda url: self._fetcher.get(url, limits, headers), self._settings.youtube_api)

    def close(self) -> None:
        """End the reader processes."""
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
                pass  # such as a used-up quota: read the public feed, with the newest fifteen videos
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
            source = self._read(answer, address)
        # The longer of two waits counts: the feed's ``ttl``, or the response's ``max-age`` (or else ``Expires``).
        wait = timedelta(minutes=source.metadata.get("ttlMinutes") or 0)
        if match := _MAX_AGE.search(answer.headers.get("cache-control", "").lower()):
            wait = max(wait, timedelta(seconds=int(match.group(1))))
        elif (expires := read_date(answer.headers.get("expires", ""))) is not None:  # servers also send "0" and "-1"
            wait = max(wait, expires - now)
        check = now + min(wait, timedelta(days=30)) if wait > timedelta(0) else None
        return source.model_copy(update={"next_check_at": check, **served})

    def discover(self, text: str) -> Found:
        if is_mailbox(text):
            return Found(feeds=[self.fetch_source(text)])
        url = typed(text)
        parse(url)
        try:
            return Found(feeds=self._feeds_of(url))
        except EngineError as error:
            if url == text.strip() or error.code != "fetch_failed" or not url.startswith("https:"):
                raise
            try:
                return Found(feeds=self._feeds_of("http:" + url.removeprefix("https:")))
            except EngineError as again:
                raise EngineError(again.code, f"{error}; then {again}", transient=again.transient) from again

    def _feeds_of(self, url: str) -> list[ContentSource]:
        """Return the feeds of a page, or the feed itself. Of several feeds with the same items, only the first is returned."""
        if youtube.is_youtube(url) or selector_of(url):
            return [self._present(url)]
        if known := of_known_site(url) or self._listed(url):
            return self._readable(known, 1)
        answer = self._get_any(url)
        place = answer.moved_to or url
        try:
            return [self._read(answer, answer.url).model_copy(update={"id": place, "url": place})]
        except EngineError as error:
            if error.code != "not_a_feed" or answer.media_type not in {"", "text/html", "application/xhtml+xml"}:
                raise
        named = feed_links(answer.body, answer.url, answer.headers.get("content-type", ""))
        try:
            found: dict[object, ContentSource] = {}
            for feed in self._readable(named[:_MOST_FEEDS], _MOST_FEEDS):
                found.setdefault(frozenset(item.url or item.title for item in (feed.items or [])[:5]) or feed.url, feed)
            if found:
                return list(found.values())
        except EngineError as error:
            if error.code not in {"not_a_feed", "not_found", "gone"}:
                raise
        guesses = [address for address in well_known(answer.url) if address not in named]
        try:
            return self._readable(guesses, 1, are_guesses=True)
        except EngineError as error:
            tried = ", ".join(address.removeprefix(answer.url.rstrip("/")) for address in guesses)
            reason = f"{answer.url} is a page that names no feed, and no feed was found at {tried}"
            raise EngineError("not_a_feed", reason) from error

    def _listed(self, url: str) -> list[str]:
        """Return the feed's address if ``url`` is a page of a podcast directory, or else an empty list."""
        if (question := of_directory(url)) is None:
            return []
        try:
            address = text_at(json.loads(self._get_any(question).body)["results"][0], "feedUrl")
        except (ValueError, LookupError, TypeError):
            address = ""
        if not address:
            raise EngineError("not_a_feed", f"the directory names no feed for {url}")
        return [address]

    def _readable(self, addresses: Iterable[str], most: int, *, are_guesses: bool = False) -> list[ContentSource]:
        """Return the first ``most`` feeds that can be read. If no feed can be read, raise the first error.

        After a temporary error, such as a rate limit, no further guessed addresses are tried.
        """
        found: list[ContentSource] = []
        why: EngineError | None = None
        end = time.monotonic() + _PATIENCE
        for address in addresses:
            try:
                found.append(self._present(address))
            except EngineError as error:
                why = why or error
                if are_guesses and error.transient:
                    break
            if len(found) >= most or time.monotonic() > end:
                break
        if not found and why is not None:
            raise why
        return found

    def _present(self, url: str) -> ContentSource:
        parse(url)  # the address from a podcast directory may be anything
        source = self.fetch_source(url)
        if source.gone:
            raise EngineError("gone", f"{url} answers 410")
        return source.model_copy(update={"url": source.moved_to}) if source.moved_to else source

    def _get_any(self, url: str) -> Fetched:
        return self._fetcher.get(url, self._limits(_FEED_TYPES), {"Accept": _ACCEPT_ANY})

    def _read(self, answer: Fetched, url: str) -> ContentSource:
        content_type, most = answer.headers.get("content-type", ""), self._settings.max_entries
        read = selected_links if selector_of(url) else read_feed
        return read(answer.body, url, content_type=content_type, max_entries=most)

    def _limits(self, content_types: tuple[str, ...]) -> Limits:
        settings, is_feed = self._settings, content_types is _FEED_TYPES
        most = settings.feed_bytes if is_feed else settings.page_bytes
        seconds = (settings.feed_timeout if is_feed else settings.page_timeout).total_seconds()
        return Limits(most, most + _HEADERS_AND_REDIRECTS, seconds, settings.redirects, content_types)
