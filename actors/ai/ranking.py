"""A document's sentences with their scores, from which the local provider and the insights choose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from actors.ai.lexrank import choose, links, rank, vectors
from actors.ai.markdown import blocks, plain
from actors.ai.sentences import Sentence, is_whole, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.ai.lexrank import Links, Vector

_MAX_SENTENCES = 200
_MIN_WORDS = 6

_REASONS = (
    "because|means?|meant|therefore|so that|as a result|turn(?:s|ed) out|in practice|surpris\\w+|key",
    "the (?:lesson|reason|result|cause|fix|catch|trick|trade-?off|problem|point)|root cause",
    "instead of|rather than|what matters|the more",
)
_LEANING = re.compile(r"(?:And|But|Or|So)\b|(?:\S+ ){1,5}does: ")
REASON = re.compile(rf"\b(?:{'|'.join(_REASONS)})\b", re.IGNORECASE)
"""Marks a sentence that gives a reason or a lesson (English)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sentence of running text.

    Attributes:
        start: Where it begins in the document.
        end: Where it ends.
        raw: ``document[start:end]``.
        text: The same without Markdown.
        heading: The heading that it stands under.
        score: Its share of what the document says.
        unit: Its word vector.

    """

    start: int
    end: int
    raw: str
    text: str
    heading: str
    score: float
    unit: Vector

    @property
    def is_statement(self) -> bool:
        """A whole sentence of at least six words that is not a question and does not lean on the one before (English)."""
        whole = is_whole(self.text) and len(self.text.split()) >= _MIN_WORDS
        return whole and not self.text.endswith("?") and not _LEANING.match(self.text)


@lru_cache(maxsize=48)
def ranked(document: str, lead: float = 0.6) -> tuple[Ranked, ...]:
    """The sentences of the document's paragraphs, in order; of a very long one, the first 200.

    Ranked by LexRank with a lead prior: ``lead`` from 0 to 1 says how much the beginning counts. What was ranked
    lately is remembered, because several tasks ask for the same story one after another.
    """
    placed, units, shares = _linked(document)
    return tuple(
        Ranked(sentence.start, sentence.end, sentence.text, text, heading, score, unit)
        for (sentence, text, heading), unit, score in zip(placed, units, rank(shares, lead), strict=True)
    )


@lru_cache(maxsize=16)
def _linked(document: str) -> tuple[list[tuple[Sentence, str, str]], list[Vector], list[Links]]:
    placed = [
        (sentence, plain(sentence.text), block.heading)
        for block in blocks(document)
        if block.kind == "paragraph"
        for sentence in sentences(block.text, block.start)
    ][:_MAX_SENTENCES]
    units = vectors([text for _, text, _ in placed])
    return placed, units, links(units)


def best(
    pool: list[Ranked], count: int, *, bonus: Callable[[Ranked], float] = lambda _: 1.0, balance: float = 0.7
) -> list[Ranked]:
    """Up to ``count`` sentences of ``pool``, best first, without repetition; ``bonus`` multiplies a score."""
    chosen = choose([item.unit for item in pool], [item.score * bonus(item) for item in pool], count, balance)
    return [pool[index] for index in chosen]
