"""Scores the sentences of a document; the local provider and the insights choose from them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from actors.ai.centrality import Vector, choose, rank, shares, vectors
from actors.ai.markdown import article, is_prose, plain
from actors.ai.sentences import Sentence, sentences
from actors.ai.standing import is_fit, is_independent
from actors.ai.words import count
from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")

_MAX_SENTENCES = 200
_MIN_WORDS = 6
_BEGINNING = 3  # number of first sentences that may have a dateline
_DATELINE = re.compile(  # as in "ORRIN, Velm (ABC) — "
    r"[*_]{0,2}[^\W\d_a-z][\w.'\u2019]*(?:,?\s+[^\W\d_a-z][\w.'\u2019]*){0,3}[*_]{0,2}\s?"
    r"(?:\([^()]{2,30}\)\s?)?(?:[\u2014\u2013]|--|-|\.-)[*_]{0,2}\s+(?=[^\W_a-z\u00df-\u00ff])"
)
_LONGEST_DATELINE = 80  # maximum number of characters in a dateline


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence of running text.

    Attributes:
        raw: ``document[start:end]``; ``text`` is the same without Markdown.
        score: The sentence's score; the scores of a document add up to 1.
        unit: The sentence's word vector.
        is_spoken: Whether a quotation from before the sentence is still open, so that the sentence does not name its speaker.
    """

    start: int
    end: int
    raw: str
    text: str
    heading: str
    score: float
    unit: Vector
    is_spoken: bool = False

    @property
    def is_statement(self) -> bool:
        """Whether it may be shown: a whole sentence of at least six words, in good form, not a question or a scrap."""
        return not self.is_spoken and _is_statement(self.text)

    @property
    def is_independent(self) -> bool:
        """Whether it may be shown alone: a statement that needs no sentence before it."""
        return self.is_statement and is_independent(self.text)


@lru_cache(maxsize=512)
def _is_statement(text: str) -> bool:
    return (
        count(text) >= _MIN_WORDS
        and not text.endswith(("?", "\uff1f"))
        and is_fit(text)
        and not _SAYS["leaning"].match(text)
    )


@lru_cache(maxsize=48)
def ranked(document: str, lead: float = 0.6) -> tuple[Ranked, ...]:
    """The first 200 sentences of the document's paragraphs, in order, with their scores.

    A score depends on what the sentence shares with the others, and on its place: ``lead``, from 0 to 1, is the weight of the
    beginning. Recent results are cached, because several tasks process the same story one after another.
    """
    placed, units, shared = _placed(document)
    return tuple(
        Ranked(sentence.start, sentence.end, sentence.text, text, heading, score, unit, is_spoken)
        for (sentence, text, heading, is_spoken), unit, score in zip(placed, units, rank(shared, lead), strict=True)
    )


@lru_cache(maxsize=16)
def _placed(document: str) -> tuple[list[tuple[Sentence, str, str, bool]], list[Vector], list[float]]:
    every = (
        (sentence, block.heading, is_spoken)
        for block in article(document)
        if block.kind == "paragraph" and is_prose(block)
        for sentence, is_spoken in spoken(block.text, block.start)
    )
    placed = []
    for at, (whole, heading, is_spoken) in enumerate(islice(every, _MAX_SENTENCES)):
        sentence = _without_dateline(whole) if at < _BEGINNING else whole
        placed.append((sentence, plain(sentence.text), heading, is_spoken))
    units = vectors([text for _, text, _, _ in placed])
    return placed, units, shares(units)


def _without_dateline(sentence: Sentence) -> Sentence:
    dateline = _DATELINE.match(sentence.text, 0, _LONGEST_DATELINE)
    skipped = dateline.end() if dateline else 0
    return Sentence(sentence.start + skipped, sentence.end, sentence.text[skipped:])


def spoken(text: str, offset: int) -> Iterator[tuple[Sentence, bool]]:
    """The sentences of a paragraph that begins at ``offset``, and for each whether a quotation is open before it."""
    last = dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d", -1)  # the last index of each mark
    straight = read = 0
    for sentence in sentences(text, offset):
        start = sentence.start - offset
        for mark, place in last.items():
            last[mark] = max(place, text.rfind(mark, read, start))
        straight += text.count('"', read, start)
        read = start
        yield sentence, straight % 2 == 1 or _is_open(last)


def _is_open(last: dict[str, int]) -> bool:
    """Whether the last opening mark comes after every closing mark. The mark that opens in English closes in German."""
    is_german = last["\u201e"] >= 0
    opened = max(last[mark] for mark in "\u201c\u201e\u00ab\u300c" if not (is_german and mark == "\u201c"))
    closed = max(last[mark] for mark in "\u201d\u00bb\u300d")
    return opened > closed and not (is_german and last["\u201c"] > opened)


def best(pool: list[Ranked], count: int, *, bonus: Callable[[Ranked], float] = lambda _: 1.0) -> list[Ranked]:
    """Up to ``count`` sentences of ``pool``, best first, without repetition; ``bonus`` multiplies a score."""
    chosen = choose([item.unit for item in pool], [item.score * bonus(item) for item in pool], count)
    return [pool[index] for index in chosen]
