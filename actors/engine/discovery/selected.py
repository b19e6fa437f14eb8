"""A page that has no feed as a source: the links in the elements that a selector names.

The selector is a part of the source's address, ``https://example.org/news#select=article%20h2%20a``, which no server sees.
"""

from urllib.parse import quote, unquote

from lxml.html import HtmlElement

from actors.engine.canonical import canonical_url, joined
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.discovery.links import base_of
from actors.engine.metadata import read
from actors.engine.pages import parse_page
from actors.engine.sites.selectors import select, xpath
from actors.engine.text import decode, one_line

_MARK = "#select="


def with_selector(url: str, selector: str) -> str:
    """The address of the links that a selector names on a page.

    Raises:
        ValueError: it is no selector.
    """
    xpath(selector)
    return f"{url.partition('#')[0]}{_MARK}{quote(selector.strip(), safe='')}"


def selector_of(url: str) -> str:
    """The selector in an address; empty for the address of a feed."""
    return unquote(url.partition(_MARK)[2])


def selected_links(body: bytes, url: str, *, content_type: str = "", max_entries: int = 300) -> ContentSource:
    """The links of a page as a feed's items, in the page's order, each once, whatever its tracking parameters.

    Raises:
        EngineError: ``not_a_feed`` if there are none; as ``parse_page``.
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
        link = _link(one)
        address = joined(base, link.get("href") or "") if link is not None else ""
        key = canonical_url(address)
        if address and key != canonical_url(page) and key not in found and len(found) < max_entries:
            found[key] = ContentItem(id=key, title=one_line("".join(one.itertext())), url=address, source_type="blog")
    if not found:
        raise EngineError(
            "not_a_feed", f"{page}: {selector!r} finds {len(chosen) or 'no'} elements, and no link to a page"
        )
    return ContentSource(
        id=url, url=url, name=about.title or about.site, source_type="blog", items=list(found.values())
    )


def _link(element: HtmlElement) -> HtmlElement | None:
    """The element's own link, or the first one in it, or the one around it."""
    return next((one for way in (element.iter("a"), element.iterancestors("a")) for one in way), None)
