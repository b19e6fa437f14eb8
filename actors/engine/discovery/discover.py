"""Finds the feeds behind an address: the page of a site, a channel, a profile, a repository."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from actors.engine import youtube
from actors.engine.contract import ContentSource, EngineError
from actors.engine.discovery.addresses import of_directory, of_known_site, typed, well_known
from actors.engine.discovery.links import selector_of
from actors.engine.fetch import Fetched, parse
from actors.engine.text import text_at

MOST_FEEDS = 8
"""Feeds of a page that are read, to show their contents."""

_PATIENCE = 60.0  # seconds after which no more addresses are tried


@dataclass(frozen=True)
class Discovery:
    """Finds feeds by the functions of an engine.

    Attributes:
        get: Fetches an address, a feed or a page.
        read: Reads a fetched answer as a feed.
        links: The addresses of the feeds that a fetched page names.
        fetch: Fetches and reads an address that should be a feed.
    """

    get: Callable[[str], Fetched]
    read: Callable[[Fetched], ContentSource]
    links: Callable[[Fetched], list[str]]
    fetch: Callable[[str], ContentSource]

    def feeds(self, text: str) -> list[ContentSource]:
        """The feeds behind a person's input, each with its items; only one if there is no choice.

        Of two feeds with the same items only the first counts.

        Raises:
            EngineError: the reason why there is none.
        """
        url = typed(text)
        parse(url)
        try:
            return self._of_address(url)
        except EngineError as error:
            if url == text.strip() or error.code != "fetch_failed" or not url.startswith("https:"):
                raise
            plain = "http:" + url.removeprefix("https:")
            try:
                return self._of_address(plain)
            except EngineError as again:
                raise EngineError(again.code, f"{error}; then {again}", transient=again.transient) from again

    def _of_address(self, url: str) -> list[ContentSource]:
        if youtube.is_youtube(url) or selector_of(url):
            return [self.fetch(url)]
        known = of_known_site(url) or self._listed(url)
        if known:
            return self._readable(known, 1)
        answer = self.get(url)
        place = answer.moved_to or url
        try:
            return [self.read(answer).model_copy(update={"id": place, "url": place})]
        except EngineError as error:
            if error.code != "not_a_feed" or answer.media_type not in {"", "text/html", "application/xhtml+xml"}:
                raise
        named = self.links(answer)
        try:
            if found := _distinct(self._readable(named[:MOST_FEEDS], MOST_FEEDS)):
                return found
        except EngineError as error:
            if error.code not in {"not_a_feed", "not_found", "gone"}:
                raise
        guesses = [address for address in well_known(answer.url) if address not in named]
        try:
            return self._readable(guesses, 1, are_guesses=True)
        except EngineError as error:
            tried = ", ".join(address.removeprefix(answer.url.rstrip("/")) for address in guesses)
            reason = f"{answer.url} is a page that names no feed, and there is none at {tried}"
            raise EngineError("not_a_feed", reason) from error

    def _listed(self, url: str) -> list[str]:
        """The feed that a directory of podcasts names."""
        if (question := of_directory(url)) is None:
            return []
        try:
            address = text_at(json.loads(self.get(question).body)["results"][0], "feedUrl")
        except (ValueError, LookupError, TypeError):
            address = ""
        if not address:
            raise EngineError("not_a_feed", f"the directory names no feed for {url}")
        return [address]

    def _readable(self, addresses: Iterable[str], most: int, *, are_guesses: bool = False) -> list[ContentSource]:
        """The first feeds that can be read, at most so many; else the reason of the first failure.

        A site in trouble, or one that asks for less, is not asked for further guesses.
        """
        found: list[ContentSource] = []
        why: EngineError | None = None
        end = time.monotonic() + _PATIENCE
        for address in addresses:
            try:
                found.append(self.fetch(address))
            except EngineError as error:
                why = why or error
                if are_guesses and error.transient:
                    break
            if len(found) >= most or time.monotonic() > end:
                break
        if not found and why is not None:
            raise why
        return found


def _distinct(feeds: list[ContentSource]) -> list[ContentSource]:
    found: list[ContentSource] = []
    seen: set[frozenset[str]] = set()
    for feed in feeds:
        told = frozenset(item.url or item.title for item in (feed.items or [])[:5])
        if not told or told not in seen:
            found.append(feed)
        seen.add(told)
    return found
