"""Finds walls, which cover or replace an article: challenges, blocks, missing pages, consent, logins and paywalls.

A page with a long text is always an article. Any other page is a wall if its metadata, headings, words or forms say so.
"""

import re

from lxml.html import HtmlElement

from actors.engine.article.full_text import plain_text
from actors.engine.metadata import Metadata
from actors.patterns import patterns

# These lengths, in characters, were tuned on one half of the test corpora.
_ARTICLE = 2000  # a longer text is an article, and is not checked
_TEASER = 1200  # a shorter text is a teaser, if the page is not free
_NOTICE = 1500  # a longer text does not explain why there is no article
_A_FEW = 600
_PARAGRAPH, _START = 100, 30
_WIDE = 3  # the weight of a Chinese or Japanese character
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_FRAME = frozenset({"nav", "header", "footer", "select", "svg"})


def _words(place: str) -> list[tuple[str, re.Pattern[str]]]:
    """Return the outcomes (such as ``paywall``) that a part of a page, such as headings, can tell, with patterns."""
    named = patterns("actors.engine.article", "walls.txt")
    return [(name.removesuffix(place), one) for name, one in named.items() if name.endswith(place)]


def wall(tree: HtmlElement, text: str, about: Metadata) -> tuple[str, str] | None:
    """Return the outcome and the reason if a wall, such as a login, covers or replaces the article in ``text``."""
    size = len(text) + (_WIDE - 1) * len(_CJK.findall(text[:_ARTICLE]))
    if size >= _ARTICLE:
        return None
    if about.is_free is False and size < _TEASER:
        return "paywall", f"the page is not free and shows {len(text)} characters"
    shown = plain_text(tree, without=_FRAME)
    if not about.is_article and (found := _notice(tree, about.title, shown, size)):
        return found
    is_teaser = about.is_article or size >= _NOTICE
    for code, pattern in _words("_offered") if about.is_free is not True else ():
        if offer := pattern.search(shown, _end(text, shown, pattern) if is_teaser else 0):
            return code, f"the page shows {len(text)} characters and asks: {_around(shown, offer)}"
    has_form = any(one.get("type") == "password" for one in tree.iter("input"))
    if has_form and size < _A_FEW and not about.is_article:
        return "paywall", f"the page asks for a login and shows {len(text)} characters"
    return None


def _notice(tree: HtmlElement, title: str, shown: str, size: int) -> tuple[str, str] | None:
    tags = ("title", "h1", "h2") if size < _A_FEW else ("title", "h1")
    names = [title, *(heading.text_content() for heading in tree.iter(*tags))]
    for name in (" ".join(one.split()) for one in names):
        for code, pattern in _words("_named"):
            if pattern.search(name):
                return code, f"the page is named {name[:100]!r}"
    if size >= _NOTICE:
        return None
    said = shown if size < _A_FEW else shown[:_NOTICE]
    for code, pattern in _words("_said"):
        if found := pattern.search(said):
            return code, f"the page says: {_around(said, found)}"
    return None


def _end(text: str, shown: str, pattern: re.Pattern[str]) -> int:
    """Return where in ``shown`` (the page's text) the last paragraph of ``text`` begins. Offers count only after it."""
    paragraphs = [line for line in text.split("\n") if len(line) >= _PARAGRAPH and not pattern.search(line)]
    return max(shown.find(paragraphs[-1][:_START]), 0) if paragraphs else 0


def _around(text: str, found: re.Match[str]) -> str:
    return repr(text[max(0, found.start() - 30) : found.end() + 30].strip())
