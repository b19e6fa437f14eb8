"""Extracts the article of a page, with a second extractor if the first result is doubtful, and chooses one result.

1. Trafilatura reads the page with ``favor_recall``. Its text is reliable if it has at least 1,500 characters, and its
   length differs by at most 10 % from the total length of the page's long paragraphs. Otherwise readability reads the
   page too, and trafilatura, if its text has less than half of that length, reads again with all its fallbacks.
2. Trafilatura's text is chosen, with two exceptions. Readability's text is chosen if trafilatura's text contains it and
   over 10 % more words, which may not belong to the article. Readability's text is also chosen if trafilatura's has
   fewer than 200 words, and readability's has over three times as many.
3. A longer text, perhaps from structured data, replaces the chosen text if it contains most of the chosen text. It must
   have over 1.8 times as many words, or over 1.15 times as many and 300 words that the chosen text lacks.
4. If no text has 200 characters, the longest text is chosen.
5. The title above the text, links to other articles, and the lines that follow every article of a site are removed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lxml.etree import iterwalk
from lxml.html import HtmlElement

from actors.engine.text import clean, letters
from actors.patterns import patterns

Way = Literal["trafilatura", "readability", "structured"]

# These values were tuned on one half of the test corpora, and checked on the other half.
SHORT = 200  # characters; a shorter reading has failed
CUT = 1.8  # a text looks cut off beside a reading with this many times its words
_SAME = 0.9  # one text contains another if it has this share of the other's runs of words
_PART = 0.5  # below this share of the long paragraphs, trafilatura uses its fallbacks
_NEAR = 0.1  # a reliable text differs in length from the long paragraphs by at most this share
_SURE = 1500  # a reliable text has at least this number of characters
_LONG = 80  # a paragraph with more characters is long
_CUT_WITHIN = 1.15  # a text also looks cut off beside a text with this many times its words,
_SECTIONS = 300  # if it lacks this number of words, which is a whole section and no teaser
_HELD = 0.6  # share of runs of words that two readings of one article have in common
_BRIEF = 200  # a text with fewer words may be from outside the article
_MORE = 1.1  # a text with this many times readability's words has parts from around the article
_ASIDE = 3  # beside a reading with this many times its words, a brief text is from outside the article
_MOST_ELEMENTS = 20_000  # readability's time grows faster than the page
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_RUN = 4
_LINES = patterns("actors.engine.article", "lines.txt")
_LONGEST_LINE = 400  # characters
_MARKS = {"pre": "```\n", "li": "- ", **{f"h{level}": f"{'#' * level} " for level in range(1, 7)}}
_BLOCKS = frozenset({"p", "div", "br", "blockquote", "tr", "section", "article", "ul", "ol", "table", *_MARKS})
_HIDDEN = frozenset({"script", "style", "noscript", "template", "head", "title"})
_SPACE = re.compile(r"\s+")
_SILENT = ("script", "style", "svg", "template", "link", "meta")


@dataclass(frozen=True)
class Reading:
    """Holds the text of a page as one extractor found it. ``marked`` returns the text as markdown."""

    way: Way
    text: str
    marked: Callable[[], str]

    @cached_property
    def said(self) -> Said:
        """Return the words of the text."""
        return Said(self.text)


@dataclass(frozen=True)
class Article:
    """Holds the chosen text, and the reason for the choice."""

    text: str
    markdown: str
    reason: str


def read_article(tree: HtmlElement, structured: str) -> Article:
    """Return the article of a parsed page. ``structured`` is the text in the page's structured data, or empty."""
    chosen, reason = choose(readings(tree, structured))
    return Article(chosen.text, chosen.marked(), f"{chosen.way}: {reason}" if chosen.text else reason)


def readings(tree: HtmlElement, structured: str) -> list[Reading]:
    """Return the page's text as each extractor reads it, the preferred reading first."""
    from lxml.etree import strip_elements
    from trafilatura.external import try_readability

    page = deepcopy(tree)
    strip_elements(page, *_SILENT, with_tail=False)
    text, marked = by_trafilatura(page, fast=True, favor_recall=True)
    sizes = (len(" ".join(one.text_content().split())) for one in page.iter("p"))
    paragraphs = sum(size for size in sizes if size > _LONG)
    is_sure = len(text) >= _SURE and abs(len(text) - paragraphs) <= _NEAR * paragraphs
    if is_sure or page.xpath("count(//*)") > _MOST_ELEMENTS:
        found = [Reading("trafilatura", text, marked)]
    else:
        if len(text) < _PART * paragraphs:
            text, marked = by_trafilatura(page)
        # Trafilatura's copy of readability changes the tree, but is five times as fast as the original.
        article = try_readability(page)
        other = Reading("readability", plain_text(article), lambda: plain_text(article, marked=True))
        found = [Reading("trafilatura", text, marked), other]
    if structured:
        own = tidy(structured)
        found.append(Reading("structured", own, lambda: own))
    return found


def choose(found: list[Reading]) -> tuple[Reading, str]:
    """Return the chosen reading, and the reason as a sentence."""
    whole = [one for one in found if len(one.text) >= SHORT]
    if not whole:
        longest = max(found, key=lambda one: len(one.text))
        return longest, "the longest of short readings" if longest.text else "no reading has a text"
    chosen, reason = whole[0], "no other reading is better"
    other = next((one for one in whole if one.way == "readability"), chosen)
    if chosen.said.size < _BRIEF and other.said.size > _ASIDE * chosen.said.size:
        chosen, reason = other, f"{chosen.way} has {chosen.said.size} words outside the page's long text"
    elif chosen.said.size > _MORE * other.said.size and chosen.said.holds(other.said) >= _SAME:
        chosen, reason = other, f"{chosen.way} holds it, and has more around it"
    # The loop ends, because each replacement has more words than the text before.
    while (longer := next((one for one in whole if looks_cut(chosen.said, one.said)), None)) is not None:
        share = longer.said.size / chosen.said.size
        reason = f"{chosen.way} looks cut: {longer.way} has {share:.1f} times the words and holds it"
        chosen = longer
    return chosen, reason


def looks_cut(text: Said, other: Said) -> bool:
    """Return whether ``other`` is the same article as ``text``, but much longer or with further sections."""
    if other.size <= _CUT_WITHIN * text.size or other.holds(text) < _HELD:
        return False
    return other.size > CUT * text.size or other.beyond(text) >= _SECTIONS


def by_trafilatura(tree: HtmlElement, **options: Any) -> tuple[str, Callable[[], str]]:
    """Return the text that trafilatura finds, without readers' comments, and a function that returns its markdown."""
    import trafilatura
    from trafilatura.xml import xmltotxt

    document = trafilatura.bare_extraction(
        tree, output_format="markdown", include_comments=False, include_formatting=True, **options
    )
    if document is None or isinstance(document, dict):
        return "", str
    return tidy(clean(xmltotxt(document.body, False))), lambda: clean(xmltotxt(document.body, True)).strip()


class Said:
    """Holds the words of a text and its runs of four words. Texts are compared by these runs."""

    def __init__(self, text: str) -> None:
        self._words = _WORD.findall(text)
        self.size = len(self._words)

    @cached_property
    def _runs(self) -> Counter[tuple[str, ...]]:
        words = self._words
        return Counter(zip(*(words[at:] for at in range(_RUN)), strict=False)) or Counter({tuple(words): 1})

    def beyond(self, other: Said) -> int:
        """Return the number of words of this text that the other text lacks."""
        starts = (at for at in range(self.size) if tuple(self._words[at : at + _RUN]) in other._runs)
        return self.size - len({at + more for at in starts for more in range(_RUN) if at + more < self.size})

    def holds(self, other: Said) -> float:
        """Return how much of the other text is in this text, as a share from 0 to 1."""
        return (self._runs & other._runs).total() / other._runs.total()


def without_furniture(text: str, titles: set[str], links: set[str], least: int) -> str:
    """Return a plain or markdown text without lines that do not belong to the article, such as links to other articles.

    If fewer than ``least`` characters would remain, the text is returned unchanged. ``titles`` (the page's title and
    first-level headings) and ``links`` (the texts of the page's links) must be normalised by ``letters``.
    """
    lines = text.split("\n")

    def is_below(line: str) -> bool:
        return letters(line) in links or (len(line) <= _LONGEST_LINE and _LINES["below"].search(line) is not None)

    start = next((at for at, line in enumerate(lines) if line.strip() and letters(line) not in titles), 0)
    rows = ((at, lines[at]) for at in range(len(lines) - 1, start, -1))
    end = next((at for at, line in rows if line.strip(" \t-*_=") and not is_below(line)), start) + 1
    within = ((line, line.strip(" \t-*_#>")) for line in lines[start:end])
    kept = (line for line, bare in within if len(line) > _LONGEST_LINE or not _LINES["elsewhere"].match(bare))
    left = "\n".join(kept).strip()
    return left if len(left) >= least else text


def plain_text(tree: HtmlElement, *, marked: bool = False, without: frozenset[str] = frozenset()) -> str:
    """Return the text of the element ``tree``, one line for each block. If ``marked``, return markdown."""
    parts: list[str] = []
    preformatted = 0
    walk = iterwalk(tree, events=("start", "end"))  # no recursion: a page may be nested deeply
    for event, element in walk:
        tag = element.tag
        is_silent = tag in _HIDDEN or tag in without
        if event == "start" and is_silent:
            walk.skip_subtree()
        elif event == "start":
            preformatted += tag == "pre"
            parts.append("\n" if tag in _BLOCKS else "")
            parts.append(_MARKS.get(tag, "") if marked else "")
            parts.append(_shown(element.text, preformatted))
        else:
            if not is_silent:
                preformatted -= tag == "pre"
                end = "\n```\n" if tag == "pre" else "\n\n"
                parts.append("" if tag not in _BLOCKS else end if marked else "\n")
            parts.append(_shown(element.tail, preformatted) if element is not tree else "")
    return tidy(clean("".join(parts)))


def tidy(text: str) -> str:
    """Return the text without spaces at the ends of lines, and with at most one empty line between lines."""
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _shown(text: str | None, preformatted: int) -> str:
    return (text if preformatted else _SPACE.sub(" ", text)) if text else ""
