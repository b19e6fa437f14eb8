"""A page's bytes become an item with its text, as plain text and as markdown."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from actors.engine.article.full_text import SHORT, by_trafilatura, read_article
from actors.engine.article.furniture import without_furniture
from actors.engine.article.plain import plain_text
from actors.engine.attributes import check_attributes
from actors.engine.contract import Author, ContentItem, EngineError
from actors.engine.metadata import Metadata, read
from actors.engine.text import clean, decode, one_line
from actors.outcomes import Outcome

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_TEASER = 1200  # a page that is marked as not free and shows less than this shows only a teaser
_MOST_ELEMENTS = 60_000
_CONSENT_HOST = re.compile(r"^(?:consent|guce|privacy-mgmt|cmp)\.")
_CONSENT_WORDS = re.compile(
    r"before you continue|we value your privacy|accept (?:all )?cookies|we and our (?:\d+ )?partners|"
    r"manage (?:your )?(?:cookie|privacy) (?:settings|preferences|choices)|enable cookies to continue|"
    r"consent to the (?:use|processing)",
    re.IGNORECASE,
)
_PAYWALL_WORDS = re.compile(
    r"(?:subscribe|sign in|log in|register)(?: now)? to (?:continue|keep|read)|to (?:continue|keep) reading|"
    r"subscribers? only|only (?:available )?(?:for|to) subscribers|already a (?:subscriber|member)|"
    r"this (?:article|content|story) is (?:reserved )?for (?:subscribers|members)",
    re.IGNORECASE,
)


def read_page(body: bytes, url: str, content_type: str = "") -> ContentItem:
    """Extract the article of a page; ``text`` is empty if there is none.

    Raises:
        EngineError: ``no_text`` if the bytes are not a page, ``too_large`` for absurdly many elements or attributes.
    """
    markup = decode(body, content_type)
    if content_type.partition(";")[0].strip().lower() == "text/plain":
        text = clean(markup).strip()
        title = one_line(text.split("\n", 1)[0], 200)
        return _item(url, Metadata(title=title), text, text)
    check_attributes(markup, url)
    tree = parse_page(markup)
    about = read(tree, url)
    article = read_article(tree, url, about.body.strip())
    obstacle = _obstacle(url, about, article.text, tree)
    origin: Literal["page", "structured"] = "page"
    if article.text and article.text.split() == about.body.split():
        origin = "structured"
    titles = [about.title, *(heading.text_content() for heading in tree.iter("h1"))]
    links = [link.text_content() for link in tree.iter("a")]
    text, marked = (without_furniture(one, titles, links, SHORT) for one in (article.text, article.markdown))
    return _item(url, about, text, marked, obstacle=obstacle, origin=origin, choice=article.reason)


def html_to_text(fragment: str) -> tuple[str, str]:
    """The text and markdown of HTML that is all content, such as a feed's."""
    if "<" not in fragment and "&" not in fragment:
        text = clean(fragment).strip()
        return text, text
    try:
        tree = parse_page(f"<html><body><article>{fragment}</article></body></html>")
    except EngineError:
        return "", ""
    text, marked = by_trafilatura(tree, None)
    # An extractor for pages would drop much of a short fragment.
    if len(text) * 2 < len(" ".join(_all_text(tree).split())):
        return plain_text(tree), plain_text(tree, marked=True)
    return text, marked()


def parse_page(markup: str) -> HtmlElement:
    """The page as a tree.

    Raises:
        EngineError: ``no_text``, ``too_large``.
    """
    from trafilatura import load_html

    tree: HtmlElement | None = load_html(markup.replace("\x00", "")) if markup.strip() else None
    if tree is None:
        raise EngineError("no_text", "the page is empty or is no HTML")
    if sum(1 for _ in tree.iter()) > _MOST_ELEMENTS:
        raise EngineError("too_large", f"the page has more than {_MOST_ELEMENTS} elements")
    return tree


def _all_text(tree: HtmlElement) -> str:
    return str(tree.xpath("string()"))


def _obstacle(url: str, about: Metadata, text: str, tree: HtmlElement) -> Outcome | None:
    if _CONSENT_HOST.match(urlsplit(url).hostname or ""):
        return Outcome.CONSENT
    if about.is_free is False and len(text) < _TEASER:
        return Outcome.PAYWALL
    if len(text) >= SHORT * 3:
        return None
    shown = text if len(text) >= SHORT else " ".join(_all_text(tree).split())[:20_000]
    if _PAYWALL_WORDS.search(shown):
        return Outcome.PAYWALL
    return Outcome.CONSENT if len(text) < SHORT * 2 and _CONSENT_WORDS.search(shown) else None


def _item(
    url: str,
    about: Metadata,
    text: str,
    markdown: str,
    *,
    obstacle: Outcome | None = None,
    origin: Literal["page", "structured"] = "page",
    choice: str | None = None,
) -> ContentItem:
    return ContentItem(
        id=url,
        title=about.title,
        description=about.description,
        url=url,
        source_type="blog",
        content_type="article",
        published_at=about.published_at,
        metadata={"siteName": about.site} if about.site else {},
        author=Author(name=about.author) if about.author else None,
        text=text,
        markdown=markdown,
        language=about.language,
        content_hash=hashlib.sha256(text.encode()).hexdigest() if text else None,
        canonical_url=about.canonical,
        text_origin=origin,
        text_choice=choice,
        obstacle=obstacle,
    )
