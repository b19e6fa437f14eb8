"""Whole sentences put together to the three lengths of a brief, within its limits."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING

from actors.ai.direction import opposes
from actors.ai.gate.evidence import keys
from actors.ai.pronouns import FIRST
from actors.ai.sentences import sentences
from actors.ai.standing import is_independent, is_told_to_reader, speaks_of_us
from actors.ai.words import count, is_dense, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE_LINER = 140
TWO_LINER = 280
_ELEVATOR = 900
"""Most characters, of one line, of two lines, and (our own choice) of an elevator pitch."""

_TELLING_WORDS = 8  # words; shorter sentences only introduce another

_TOLD = 0.5  # the share of a headline's words that a sentence must have to stand for it
_TOLD_ALL = 0.75  # the same for the headline of a list or an instruction

_NO_NEWS = re.compile(
    r"^(?:Get|Find|Unlock|Discover|Learn|Explore|Check|Join|Try)\b|"
    rf"^\W*(?:{FIRST})\b|[!\uff01\U0001f300-\U0001faff]|^\(|\b(?:you|your|let['\u2019]s|Sie|Ihre|vous|usted)\b"
)
_BACKGROUND = re.compile(
    r"(?:An?|Some|Many|Few|\w+) (?:\w+ )?(?:years?|decades?|months?) ago\b|(?:In|Over|During) (?:the (?:past|last)|recent)\b"
    r"|For (?:years|decades|centuries)\b|In (?:today['\u2019]s|the (?:world|age|era))\b|(?:Up to|Until) now\b|Nowadays\b|Once\b"
    r"|Vor (?:\w+ )*Jahren\b|Seit Jahren\b|Il y a\b|Depuis des\b|Hace (?:\w+ )*años\b|Há (?:\w+ )*anos\b"
)
"""Begins a sentence about the time before the story."""
_ANNOUNCES = re.compile(
    r"\W*(?:the )?(?:(?:top|best|these|our|my) )*\d+\b|how (?:to|do|can|much|many)\b|what\b|why\b"
    r"|.*(?:\b(?:guide|tips|ideas|trends|techniques|practices|steps|ways|explained|checklist)\b|\?$)",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\s+\|\s.*")
_LEAST_WORDS = 4

Placed = tuple[int, str]


def in_three_lengths(
    title: str, ranked: Sequence[Placed], described: Sequence[str] = ()
) -> tuple[str | None, str | None, str | None]:
    """One line, two sentences, and three or four, from sentences with their places, best first.

    ``described`` are the sentences of the page's own description. A part that the sentences cannot give stays None, because
    nothing is made up.
    """
    headline = _as_sentence(title)
    return _one(title, ranked, described), _two(headline, ranked), _elevator(headline, ranked)


def joined(parts: Sequence[str], limit: int) -> str | None:
    """The sentences as one text; None if it is longer than ``limit`` or reads as more or fewer sentences."""
    text = ("" if is_dense(parts[0]) else " ").join(parts)
    return text if len(text) <= limit and len(sentences(text)) == len(parts) else None


def _one(title: str, ranked: Sequence[Placed], described: Sequence[str]) -> str | None:
    """A sentence that says the headline's words and more; else the page's description; else the headline."""
    telling = [each for each in ranked if count(each[1]) >= _TELLING_WORDS]
    named = set(terms(title))
    least = max(2, (_TOLD_ALL if announces(title) else _TOLD) * len(named))
    for _, text in [*sorted(telling[:2]), *telling[2:], *ranked]:
        fits = len(text) <= ONE_LINER and len(sentences(text)) == 1 and stands_alone(text)
        if (len(named & set(terms(text))) >= least or not named) and fits and not opposes(title, text):
            return text
    first = described if len(title) > ONE_LINER else described[:1]  # a later sentence tells only a part
    short = (
        text
        for text in first
        if len(text) <= ONE_LINER
        and (len(keys(title)) < _LEAST_WORDS or keys(title) & keys(text))
        and count(text) >= _TELLING_WORDS
        and not is_told_to_reader(text)
        and not opposes(title, text)
    )
    return next(short, None) or shorten(_bare(title), ONE_LINER) or None


def _bare(title: str) -> str:
    """A headline without the site's part behind a bar, if enough of it is left."""
    bare = _SUFFIX.sub("", title)
    return bare if count(bare) >= _LEAST_WORDS else title


def announces(title: str) -> bool:
    """Whether a headline belongs to a list, an instruction or a question; a single sentence tells only a part of those."""
    return _ANNOUNCES.match(title) is not None


def stands_alone(text: str) -> bool:
    """Whether a sentence can be the only one: it needs no sentence before it, is no cry, and has no ``I`` of its author."""
    is_addressed = is_told_to_reader(text) or speaks_of_us(text)
    return is_independent(text) and not (
        is_addressed or _BACKGROUND.match(text) or _NO_NEWS.search(text) or "..." in text
    )


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
