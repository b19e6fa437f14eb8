"""Whole sentences put together to the three lengths of a brief, within its limits."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

from actors.ai.direction import opposes
from actors.ai.sentences import sentences
from actors.ai.standing import is_independent
from actors.ai.words import count, is_dense, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE_LINER = 140
TWO_LINER = 280
_ELEVATOR = 900
"""Most characters, of one line, of two lines, and (our own choice) of an elevator pitch."""

_TELLING_WORDS = 8  # shorter sentences lead up to something

_TOLD = 0.5  # the share of a headline's words that a sentence must have to stand for it

_NO_NEWS = re.compile(
    r"^\W*(?:I|We|My|Our|Ich|Wir|Mein|Unsere?|Je|Nous|Notre|Yo|Nosotros)\b|^(?:Get|Find|Unlock|Discover|Learn|Explore|Check|Join|Try)\b|[!\uff01\U0001f300-\U0001faff]|^\("
)

Placed = tuple[int, str]


def in_three_lengths(
    title: str, ranked: Sequence[Placed], described: Sequence[str] = ()
) -> tuple[str | None, str | None, str | None]:
    """One line, two sentences, and three or four, from sentences with their places, best first.

    ``described`` are sentences by which the page describes itself. A part that the sentences cannot give stays None: nothing is
    made up to fill it.
    """
    headline = _as_sentence(title)
    return _one(title, ranked, described), _two(headline, ranked), _elevator(headline, ranked)


def joined(parts: Sequence[str], limit: int) -> str | None:
    """The sentences as one text; None when it is longer than ``limit`` or reads as more or fewer sentences."""
    text = ("" if is_dense(parts[0]) else " ").join(parts)
    return text if len(text) <= limit and len(sentences(text)) == len(parts) else None


def _one(title: str, ranked: Sequence[Placed], described: Sequence[str]) -> str | None:
    """A sentence that says what the headline says, and more; else the page's description; else the headline."""
    telling = [each for each in ranked if count(each[1]) >= _TELLING_WORDS]
    named = set(terms(title))
    for _, text in [*sorted(telling[:2]), *telling[2:], *ranked]:
        tells = len(named & set(terms(text))) >= max(2, _TOLD * len(named)) or not named
        fits = len(text) <= ONE_LINER and len(sentences(text)) == 1 and stands_alone(text)
        if tells and fits and not opposes(title, text):
            return text
    first = described if len(title) > ONE_LINER else described[:1]  # a later one tells a part
    short = (
        text for text in first if len(text) <= ONE_LINER and count(text) >= _TELLING_WORDS and not opposes(title, text)
    )
    return next(short, None) or shorten(title, ONE_LINER) or None


def stands_alone(text: str) -> bool:
    """Whether a sentence can be the only one: it leans on nothing before it, is no cry, and nobody speaks of himself."""
    return is_independent(text) and not (_NO_NEWS.search(text) or "..." in text)


def _two(headline: str, ranked: Sequence[Placed]) -> str | None:
    for first, second in combinations(ranked, 2):
        text = joined([part for _, part in sorted((first, second))], TWO_LINER)
        if text:
            return text
    if headline and ranked:
        for _, part in ranked:
            text = joined([headline, part], TWO_LINER)
            if text:
                return text
    return None


def _elevator(headline: str, ranked: Sequence[Placed]) -> str | None:
    for size in (4, 3):
        for chosen in combinations(ranked, size):
            text = joined([part for _, part in sorted(chosen)], _ELEVATOR)
            if text:
                return text
    if headline:
        for chosen in combinations(ranked, 2):
            text = joined([headline, *(part for _, part in sorted(chosen))], _ELEVATOR)
            if text:
                return text
    return None


def shorten(text: str, limit: int) -> str:
    """``text``, or as many of its whole words as fit into ``limit`` characters with an ellipsis.

    A single word that is longer than ``limit`` gives an empty text: nothing is ever cut inside a word.
    """
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    if not text[limit - 1].isspace():
        cut = cut.rpartition(" ")[0]
    cut = cut.rstrip(" ,;:\u2013\u2014-")
    return cut + "…" if cut else ""


def _as_sentence(title: str) -> str:
    title = " ".join(title.split())
    if not title:
        return ""
    return title if title.endswith((".", "!", "?", "…")) else title + "."
