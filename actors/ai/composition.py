"""Whole sentences put together to the three lengths of a brief, within its limits."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from actors.ai.gate.evidence import keys
from actors.ai.markdown import blocks, is_bold, plain
from actors.ai.patterns import patterns
from actors.ai.sentences import is_whole, sentences
from actors.ai.standing import addresses_reader, is_independent, is_told_to_reader, leans, speaks_of_us
from actors.ai.words import count, is_dense, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAYS = patterns("actors.ai", "patterns.txt")

ONE_LINER = 140
TWO_LINER = 280
_ELEVATOR = 900
"""Most characters, of one line, of two lines, and (our own choice) of an elevator pitch."""

_TELLING_WORDS = 8  # words; shorter sentences only introduce another

_TOLD = 0.5  # the share of a headline's words that a sentence must have to stand for it
_LEAST_WORDS = 4

_NEW = 3  # words that a sentence adds to the headline, else it says what the headline says
_PARTS = 3  # headings from which on a text is a list, a guide or a review of several things
_LABELS = 0.3  # share of paragraphs that are no sentences, such as prices and names of products
_ADVICE = 0.15  # share of sentences that address the reader

Placed = tuple[int, str]


def in_three_lengths(
    title: str, ranked: Sequence[Placed], described: Sequence[str] = (), *, is_of_parts: bool = False
) -> tuple[str | None, str | None, str | None]:
    """One line, two sentences, and three or four, from sentences with their places, best first.

    ``described`` are the sentences of the page's own description. A part that the sentences cannot give stays None, because
    nothing is made up, and a reader has the headline already. Of a text of several parts, one sentence tells only a part.
    """
    adding = [each for each in ranked if adds_to(title, each[1])]
    one = _one(title, [] if is_of_parts else adding, described[:1])
    return (
        one,
        _joined_of(adding, (2,), TWO_LINER) or _joined_of(ranked, (2,), TWO_LINER),
        _joined_of(ranked, (4, 3), _ELEVATOR),
    )


def adds_to(title: str, text: str) -> bool:
    """Whether a sentence says more than a headline."""
    said, known = set(terms(text)), set(terms(title))
    return len(said - known) >= _NEW


def has_parts(title: str, document: str, told: Sequence[str]) -> bool:
    """Whether a text is a list, a guide, a review of several things or an advert, by its form.

    It has headings, more labels than sentences, or addresses its reader (in one of the sentences ``told`` in seven); or its
    headline announces one.
    """
    parts = blocks(document)
    headings = sum(part.kind == "heading" or is_bold(part) for part in parts)
    paragraphs = [part for part in parts if part.kind == "paragraph"]
    items = sum(part.kind == "item" for part in parts)
    labels = sum(not is_whole(plain(part.text)) for part in paragraphs)
    return (
        announces(title)
        or headings >= _PARTS
        or items > len(paragraphs)
        or labels > max(2, _LABELS * len(paragraphs))
        or sum(map(addresses_reader, told)) > max(1, _ADVICE * len(told))
    )


def joined(parts: Sequence[str], limit: int) -> str | None:
    """The sentences as one text; None if it is longer than ``limit`` or reads as more or fewer sentences."""
    text = ("" if is_dense(parts[0]) else " ").join(parts)
    return text if len(text) <= limit and len(sentences(text)) == len(parts) else None


def _one(title: str, adding: Sequence[Placed], described: Sequence[str]) -> str | None:
    """A sentence that says the headline's words and more; else the page's description, if it does."""
    telling = [each for each in adding if count(each[1]) >= _TELLING_WORDS]
    named = set(terms(title))
    least = max(2, _TOLD * len(named))
    for _, text in [*sorted(telling[:2]), *telling[2:], *adding]:
        fits = len(text) <= ONE_LINER and stands_alone(text)
        if len(named & set(terms(text))) >= least and fits:
            return text
    short = (
        text
        for text in described
        if len(text) <= ONE_LINER
        and (len(keys(title)) < _LEAST_WORDS or keys(title) & keys(text))
        and count(text) >= _TELLING_WORDS
        and adds_to(title, text)
    )
    return next(short, None)


def announces(title: str) -> bool:
    """Whether a headline belongs to a list, an instruction or a question; a single sentence tells only a part of those."""
    return _SAYS["announces"].match(title) is not None


def stands_alone(text: str) -> bool:
    """Whether a sentence can be the only one: it needs no sentence before it, is no cry, and has no ``I`` of its author."""
    is_addressed = is_told_to_reader(text) or speaks_of_us(text)
    return is_independent(text) and not (
        is_addressed or _SAYS["background"].match(text) or _SAYS["no_news"].search(text)
    )


def _joined_of(ranked: Sequence[Placed], sizes: Sequence[int], limit: int) -> str | None:
    """The first sentences of one of the ``sizes`` that fit together, in the story's order; the first leans on none before."""
    for size in sizes:
        for chosen in map(sorted, combinations(ranked, size)):
            if not leans(chosen[0][1]) and (text := joined([part for _, part in chosen], limit)):
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
