"""Reads a page's metadata: title, language, canonical address, date, author, and structured data."""

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from actors.engine.article.byline import page_author, published, short_lines
from actors.engine.canonical import joined
from actors.engine.text import clean, letters, one_line, text_at, text_of, words_of

_SEPARATOR = re.compile(r"\s+[|·•»«\u203a\u2013\u2014-]\s+")
# A heading matches a title if they share at least this fraction of the shorter one's words.
_ALIKE = 0.4
_ARTICLE = re.compile(r"(?:Article|BlogPosting|Report)\b")  # types of structured data, such as NewsArticle
_MOST_BLOCKS = 50
_DEEPEST = 6


@dataclass(frozen=True)
class Metadata:
    """Holds a page's metadata. A value that the page lacks is empty or None."""

    title: str = ""
    description: str = ""
    language: str | None = None
    canonical: str | None = None
    published_at: datetime | None = None
    author: str = ""
    site: str = ""
    is_article: bool = False  # whether the page declares itself an article
    is_free: bool | None = None  # the value of ``isAccessibleForFree``
    body: str = ""  # the ``articleBody`` of the structured data
    captions: str = ""  # the address of the captions of the page's video


def read(tree: HtmlElement, url: str) -> Metadata:
    """Return the metadata of a parsed page. The function never raises, whatever the page contains."""
    metas: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").strip().lower()
        if name and (content := (meta.get("content") or "").strip()):
            metas.setdefault(name, content)
    data = list(_data(tree))
    article = next((one for one in data if _ARTICLE.search(str(one.get("@type")))), {})
    publisher = article.get("publisher")
    site = one_line(metas.get("og:site_name") or text_at(publisher, "name") or text_of(publisher), 200)
    lines = short_lines(tree)
    headings = [one_line(html.unescape(one.text_content())) for one in islice(tree.iter("h1"), _MOST_BLOCKS)]
    named = next((text for one in tree.iter("title") if (text := " ".join(one.itertext()).strip())), "")
    titles = (metas.get("og:title", ""), text_at(article, "headline"), named)
    declared = [one_line(html.unescape(one)) for one in titles if one]
    described = metas.get("og:description") or metas.get("description")
    root = tree.getroottree().getroot()
    code = (root.get("lang") or root.get("xml:lang") or metas.get("og:locale", "")).replace("_", "-")
    language = code.split("-", 1)[0].strip().lower()
    is_language = language.isascii() and language.isalpha() and len(language) in {2, 3}
    tracks = sorted(tree.iter("track"), key=lambda one: one.get("default") is None)
    spoken = (one for one in tracks if (one.get("kind") or "").lower() in {"", "captions", "subtitles"})
    return Metadata(
        title=page_title([*filter(None, declared)], [*filter(None, headings)], site),
        description=one_line(html.unescape(described or text_at(article, "description")), 2000),
        language=language if is_language else None,
        canonical=_canonical(tree, url),
        published_at=published(tree, lines, metas, article, data, url),
        author=one_line(page_author(article, metas, lines, site), 200),
        site=site,
        is_article=bool(article) or metas.get("og:type", "").lower() == "article",
        is_free={"true": True, "false": False}.get(str(article.get("isAccessibleForFree")).strip().lower()),
        body=clean(text_at(article, "articleBody")),
        captions=next(filter(None, (joined(url, one.get("src") or "") for one in spoken)), ""),
    )


def page_title(declared: Sequence[str], headings: Sequence[str], site: str) -> str:
    """Return a heading that matches a declared title, or else the first title, if possible without the site's name."""
    parts = ((one for one in _SEPARATOR.split(title) if letters(one) not in {"", letters(site)}) for title in declared)
    bare = [first for some in parts if (first := next(some, ""))]
    meant = max(headings, key=lambda one: _likeness(one, bare), default="")
    return next(iter([*([meant] if _likeness(meant, bare) >= _ALIKE else []), *bare, *headings, *declared]), "")


def _likeness(heading: str, titles: Sequence[str]) -> float:
    """Return the share (0 to 1) of the shorter text's words that the heading has in common with the nearest title."""
    words, others = set(words_of(heading)), [set(words_of(one)) for one in titles]
    return max((len(words & other) / (min(len(words), len(other)) or 1) for other in others), default=0.0)


def _canonical(tree: HtmlElement, url: str) -> str | None:
    """Return the page's canonical link, unless it is the front page, which some sites declare on every page."""
    for link in tree.iter("link"):
        if "canonical" in (link.get("rel") or "").lower().split() and (href := (link.get("href") or "").strip()):
            target = joined(url, href, with_fragment=True)
            parts = urlsplit(target)
            is_front_page = parts.path in {"", "/"} and not parts.query and urlsplit(url).path not in {"", "/"}
            return target if target and not is_front_page else None
    return None


def _data(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    scripts = tree.xpath("//script[@type='application/ld+json']")
    for script in scripts[:_MOST_BLOCKS] if isinstance(scripts, list) else []:
        try:
            data = json.loads(script.text_content().strip(), strict=False)
        except (ValueError, RecursionError):
            continue
        yield from _objects(data, 0)


def _objects(data: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
        data = [data.get(key) for key in ("@graph", "mainEntity", "mainEntityOfPage")]
    for part in data[:_MOST_BLOCKS] if isinstance(data, list) and depth < _DEEPEST else ():
        yield from _objects(part, depth + 1)
