"""Finds the feeds that a page names, and, on a page without a feed, the links that a CSS selector selects."""

import re
from urllib.parse import quote, unquote, urlsplit

from lxml.html import HtmlElement

from actors.engine.canonical import canonical_url, joined
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.metadata import read
from actors.engine.pages import parse_page
from actors.engine.selectors import select, xpath
from actors.engine.text import decode, one_line

_MARK = "#select="  # a fragment, which servers do not see
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
    """Return the addresses of the feeds that a page names, in order. If a page names only feeds of comments, return those feeds.

    Raises:
        EngineError: ``parse_page`` cannot read the page.
    """
    tree = parse_page(decode(body, content_type)[:_LONGEST_MARKUP])
    base, named = base_of(tree, url), dict[str, str]()
    for link in tree.iter("link"):
        relations, href = (link.get("rel") or "").lower().split(), link.get("href") or ""
        kind = (link.get("type") or "").partition(";")[0].strip().lower()
        is_feed = kind in _TYPES or (kind == "application/json" and "feed" in href.lower())
        if ("alternate" in relations and is_feed) or "feed" in relations:
            named[joined(base, href)] = link.get("title") or ""
    for anchor in tree.iter("a") if not any(named) else ():
        address = joined(base, anchor.get("href") or "")
        path = urlsplit(address).path
        if _LOOKS.search(path) and not _NO_FEED.search(path):
            named[address] = anchor.text_content() or anchor.get("title") or ""
    named.pop("", None)
    own = [address for address, title in named.items() if not _COMMENTS.search(f"{address} {title}")]
    return (own or list(named))[:_MOST]


def base_of(tree: HtmlElement, url: str) -> str:
    """Return the address to which the links of a page are relative."""
    for element in tree.iter("base"):
        if href := (element.get("href") or "").strip():
            return joined(url, href) or url
    return url


def with_selector(url: str, selector: str) -> str:
    """Return a page's address with a CSS selector for links. Raises ValueError if the selector is not valid."""
    xpath(selector)
    return f"{url.partition('#')[0]}{_MARK}{quote(selector.strip(), safe='')}"


def selector_of(url: str) -> str:
    """Return the CSS selector in an address, or an empty string if the address has no selector."""
    return unquote(url.partition(_MARK)[2])


def selected_links(body: bytes, url: str, *, content_type: str = "", max_entries: int = 300) -> ContentSource:
    """Return the links of a page as items of a feed, in order. Links that differ only in tracking parameters are one item.

    Raises:
        EngineError: the selector finds no links (``not_a_feed``), or ``parse_page`` cannot read the page.
    """
    page, selector = url.partition("#")[0], selector_of(url)
    tree = parse_page(decode(body, content_type))
    base, about = base_of(tree, page), read(tree, page)
    try:
        chosen = select(tree, selector)
    except ValueError as error:
        raise EngineError("not_a_feed", str(error)) from error
    found: dict[str, ContentItem] = {}
    for one in chosen:
        # The link is the selected element itself, the first link in the element, or the link around the element.
        link = next((link for way in (one.iter("a"), one.iterancestors("a")) for link in way), None)
        address = joined(base, link.get("href") or "") if link is not None else ""
        key = canonical_url(address)
        if address and key != canonical_url(page) and key not in found and len(found) < max_entries:
            found[key] = ContentItem(id=key, title=one_line("".join(one.itertext())), url=address, source_type="blog")
    if not found:
        reason = f"{page}: {selector!r} finds {len(chosen) or 'no'} elements, and no link to a page"
        raise EngineError("not_a_feed", reason)
    name = about.title or about.site
    return ContentSource(id=url, url=url, name=name, source_type="blog", items=list(found.values()))
