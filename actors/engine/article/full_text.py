"""Reads the article of a page in several ways, and chooses one reading by these rules.

1. Among the readings of 200 characters and more, the one with which the others agree most is taken.
2. A reading that looks cut is replaced by one that holds most of it and has 1.8 times its words, or 1.15 times if most of the
   additional words, at least 300, stand between common parts.
3. If no reading has 200 characters, the longest is taken.
4. The title above the text, links to other articles, and the lines below each article of a site are left out.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from actors.engine.article.agreement import Said
from actors.engine.article.plain import plain_text, tidy
from actors.engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lxml.html import HtmlElement

    Way = Literal["precise", "balanced", "generous", "readability", "structured"]

SHORT = 200
"""Characters below which a reading counts as failed."""

CUT = 1.8
"""A text looks cut if another one has so many times its words."""

_CUT_WITHIN = 1.15  # times, if the additional words stand within the text
_WITHIN = 0.9  # of these words
_SECTIONS = 300  # of these words are sections of an article rather than teasers in it; chosen on the choosing halves
_HELD = 0.6  # of its runs of words are in the longer one: both are of the same article
_ENOUGH = 2.0  # seconds of CPU after which no other way is tried: its reader has ten for all of them
_MOST_ELEMENTS = 20_000  # of a page for readability, because its time grows faster than the page


@dataclass(frozen=True)
class Reading:
    """A page's text, read in one way.

    Attributes:
        marked: Makes its markdown.
    """

    way: Way
    text: str
    marked: Callable[[], str]
    said: Said = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "said", Said(self.text))


@dataclass(frozen=True)
class Article:
    """The chosen text, and the reason."""

    text: str
    markdown: str
    reason: str


def read_article(tree: HtmlElement, url: str | None, structured: str) -> Article:
    """Read the article of a parsed page. ``structured`` is the text in the page's own data, or empty."""
    chosen, reason = choose(list(readings(tree, url, structured)))
    if chosen is None:
        return Article("", "", reason)
    return Article(chosen.text, chosen.marked(), f"{chosen.way}: {reason}")


def choose(found: list[Reading]) -> tuple[Reading | None, str]:
    """The chosen reading, and the reason in words."""
    whole = [one for one in found if len(one.text) >= SHORT]
    if not whole:
        longest = max(found, key=lambda one: len(one.text), default=None)
        return (
            (longest, "the longest of short readings") if longest and longest.text else (None, "no reading has a text")
        )
    judges = [one for one in whole if one.way != "structured"] or whole
    judges.sort(key=lambda one: one.way != "precise")  # of two with the same support, it has less around the article
    support = {one.way: round(sum(one.said.agreement(other.said) for other in judges), 2) for one in judges}
    chosen = max(judges, key=lambda one: support[one.way])
    reason = f"the others agree with it most ({len(judges)} readings)"
    # Each replacement has more words, so this ends.
    while (longer := next((one for one in whole if looks_cut(chosen.said, one.said)), None)) is not None:
        share = longer.said.size / chosen.said.size
        reason = f"{chosen.way} looks cut: {longer.way} has {share:.1f} times the words and holds it"
        chosen = longer
    return chosen, reason


def looks_cut(text: Said, other: Said) -> bool:
    """Whether the other one is of the same article and has far more words, or more whole sections within it."""
    if other.size <= _CUT_WITHIN * text.size or other.holds(text) < _HELD:
        return False
    if other.size > CUT * text.size:
        return True
    within, more = other.between(text)
    return more >= _SECTIONS and within >= _WITHIN * more


def readings(tree: HtmlElement, url: str | None, structured: str) -> Iterator[Reading]:
    """All readings of the page that end within its time."""
    begin = time.process_time()
    ways: tuple[tuple[Way, dict[str, bool]], ...] = (
        ("balanced", {}),
        ("precise", {"favor_precision": True}),
        ("generous", {"favor_recall": True}),
    )
    for way, options in ways:
        yield _by_trafilatura(tree, url, way, options)
        if time.process_time() - begin > _ENOUGH:
            break
    else:
        if sum(1 for _ in tree.iter()) <= _MOST_ELEMENTS:
            yield from _by_readability(tree)
    if structured:
        text = tidy(structured)
        yield Reading("structured", text, lambda: text)


def _by_trafilatura(tree: HtmlElement, url: str | None, way: Way, options: dict[str, bool]) -> Reading:
    text, marked = by_trafilatura(tree, url, **options)
    return Reading(way, text, marked)


def by_trafilatura(tree: HtmlElement, url: str | None, **options: Any) -> tuple[str, Callable[[], str]]:
    """The text as trafilatura finds it, without comments, and its markdown once it is wanted."""
    import trafilatura
    from trafilatura.xml import xmltotxt

    document = trafilatura.bare_extraction(
        tree, url=url, output_format="markdown", include_comments=False, include_formatting=True, **options
    )
    if document is None or isinstance(document, dict):
        return "", str
    return tidy(clean(xmltotxt(document.body, False))), lambda: clean(xmltotxt(document.body, True)).strip()


def _by_readability(tree: HtmlElement) -> Iterator[Reading]:
    from readability.readability import Document, Unparseable
    from trafilatura import load_html

    try:
        article = load_html(Document(deepcopy(tree)).summary())  # type: ignore[no-untyped-call]
    except (Unparseable, ValueError):  # it finds no article, or fails on this page
        return
    if article is not None:
        yield Reading("readability", plain_text(article), lambda: plain_text(article, marked=True))
