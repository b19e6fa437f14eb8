"""Finds the feeds behind an address: the page of a site, a channel, a profile, a repository."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Protocol

from actors.engine import youtube
from actors.engine.contract import ContentSource, EngineError
from actors.engine.discovery.addresses import of_directory, of_known_site, typed, well_known
from actors.engine.discovery.links import selector_of
from actors.engine.fetch import Fetched, parse
from actors.engine.reading import feed_links
from actors.engine.text import text_at

_MOST_FEEDS = 8  # maximum number of a page's feeds that are read to show their contents
_PATIENCE = 60.0  # seconds after which no further address is tried


class Reader(Protocol):
    """The calls of the local Engine that discovery needs."""

    def get_any(self, url: str) -> Fetched:
        """Get a feed, or the page that names it."""

    def fetch_present(self, url: str) -> ContentSource:
        """Get an existing feed at its current address."""

    def read(self, answer: Fetched, url: str) -> ContentSource:
        """Read an answer as a feed."""


def feeds_behind(text: str, engine: Reader) -> list[ContentSource]:
    """The feeds behind a person's input, each with its items; often only one.

    If two feeds have the same items, only the first counts.

    Raises:
        EngineError: the reason why no feed was found.
    """
    url = typed(text)
    parse(url)
    try:
        return _of_address(url, engine)
    except EngineError as error:
        if url == text.strip() or error.code != "fetch_failed" or not url.startswith("https:"):
            raise
        plain = "http:" + url.removeprefix("https:")
        try:
            return _of_address(plain, engine)
        except EngineError as again:
            raise EngineError(again.code, f"{error}; then {again}", transient=again.transient) from again


def _of_address(url: str, engine: Reader) -> list[ContentSource]:
    if youtube.is_youtube(url) or selector_of(url):
        return [engine.fetch_present(url)]
    if known := of_known_site(url) or _listed(url, engine):
        return _readable(known, 1, engine)
    answer = engine.get_any(url)
    place = answer.moved_to or url
    try:
        return [engine.read(answer, answer.url).model_copy(update={"id": place, "url": place})]
    except EngineError as error:
        if error.code != "not_a_feed" or answer.media_type not in {"", "text/html", "application/xhtml+xml"}:
            raise
    named = feed_links(answer.body, answer.url, answer.headers.get("content-type", ""))
    try:
        found: dict[object, ContentSource] = {}
        for feed in _readable(named[:_MOST_FEEDS], _MOST_FEEDS, engine):
            found.setdefault(frozenset(item.url or item.title for item in (feed.items or [])[:5]) or feed.url, feed)
        if found:
            return list(found.values())
    except EngineError as error:
        if error.code not in {"not_a_feed", "not_found", "gone"}:
            raise
    guesses = [address for address in well_known(answer.url) if address not in named]
    try:
        return _readable(guesses, 1, engine, are_guesses=True)
    except EngineError as error:
        tried = ", ".join(address.removeprefix(answer.url.rstrip("/")) for address in guesses)
        reason = f"{answer.url} is a page that names no feed, and no feed was found at {tried}"
        raise EngineError("not_a_feed", reason) from error


def _listed(url: str, engine: Reader) -> list[str]:
    """The feed that a podcast directory names, if the address is a page of this directory."""
    if (question := of_directory(url)) is None:
        return []
    try:
        address = text_at(json.loads(engine.get_any(question).body)["results"][0], "feedUrl")
    except (ValueError, LookupError, TypeError):
        address = ""
    if not address:
        raise EngineError("not_a_feed", f"the directory names no feed for {url}")
    return [address]


def _readable(addresses: Iterable[str], most: int, engine: Reader, *, are_guesses: bool = False) -> list[ContentSource]:
    """The first feeds that can be read, at most ``most``. If none can be read, raises the error of the first failure.

    If a site is unreachable or asks for fewer requests, further guesses of its addresses are not tried.
    """
    found: list[ContentSource] = []
    why: EngineError | None = None
    end = time.monotonic() + _PATIENCE
    for address in addresses:
        try:
            found.append(engine.fetch_present(address))
        except EngineError as error:
            why = why or error
            if are_guesses and error.transient:
                break
        if len(found) >= most or time.monotonic() > end:
            break
    if not found and why is not None:
        raise why
    return found
