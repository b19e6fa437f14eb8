"""The feeds that a page names: its ``link rel=alternate``, else links that look like feeds."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from actors.engine.canonical import joined
from actors.engine.pages import parse_page
from actors.engine.text import decode

_LONGEST_MARKUP = 600_000
_MOST = 20
_TYPES = {
    "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/feed+json",
    "application/xml", "text/xml", "application/rss", "application/atom",
}  # fmt: skip
_LOOKS = re.compile(r"(?:^|[/._-])(?:rss|atom|feeds?)(?:$|[/._-])|\.(?:rss|atom|rdf)$", re.IGNORECASE)
_NO_FEED = re.compile(r"\.(?:html?|png|jpe?g|gif|svg|css|js|pdf)$", re.IGNORECASE)
_COMMENTS = re.compile(r"/comments?/|[?&]feed=comments|\bcomments?\b|\bkommentare?\b", re.IGNORECASE)


def feed_links(body: bytes, url: str, content_type: str = "") -> list[str]:
    """The addresses of the feeds that a page names, in the page's own order, each once.

    Feeds of comments are left out if there are others.

    Raises:
        EngineError: ``no_text`` if it is not a page, ``too_large`` for absurdly many elements.
    """
    tree = parse_page(decode(body, content_type)[:_LONGEST_MARKUP])
    base = base_of(tree, url)
    named = dict(_alternates(tree, base)) or dict(_anchors(tree, base))
    own = [address for address, title in named.items() if not _COMMENTS.search(f"{address} {title}")]
    return (own or list(named))[:_MOST]


def base_of(tree: HtmlElement, url: str) -> str:
    """The address to which the links of a page are relative."""
    for element in tree.iter("base"):
        if href := (element.get("href") or "").strip():
            return joined(url, href) or url
    return url


def _alternates(tree: HtmlElement, base: str) -> Iterator[tuple[str, str]]:
    for link in tree.iter("link"):
        relations = (link.get("rel") or "").lower().split()
        kind = (link.get("type") or "").partition(";")[0].strip().lower()
        is_feed = kind in _TYPES or (kind == "application/json" and "feed" in (link.get("href") or "").lower())
        is_named = ("alternate" in relations and is_feed) or "feed" in relations
        if is_named and (address := joined(base, link.get("href") or "")):
            yield address, link.get("title") or ""


def _anchors(tree: HtmlElement, base: str) -> Iterator[tuple[str, str]]:
    for anchor in tree.iter("a"):
        address = joined(base, anchor.get("href") or "")
        if not address:
            continue
        parts = urlsplit(address)
        if _LOOKS.search(parts.path) and not _NO_FEED.search(parts.path):
            yield address, anchor.text_content() or anchor.get("title") or ""
