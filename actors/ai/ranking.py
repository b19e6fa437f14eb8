"""Scores the sentences of a document by how central they are, and chooses sentences without repetition."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

from actors.ai.gate.form import SAYS
from actors.ai.markdown import article, is_prose, plain
from actors.ai.sentences import Sentence, sentences
from actors.ai.standing import is_fit, is_independent
from actors.ai.words import count, terms

Vector = dict[str, float]

_SHARED = 0.6  # the weight of the words that a sentence shares with other sentences; its place has the remaining weight
_BALANCE = 0.65  # the weight of a sentence's score; its similarity to chosen sentences has the remaining weight
_MAX_SENTENCES = 200
_MIN_WORDS = 6
_BEGINNING = 3  # number of first sentences that may have a dateline
_LONGEST_DATELINE = 80  # maximum number of characters in a dateline


@dataclass(frozen=True, slots=True)
class Ranked:
    """Describes a sentence of a paragraph, with its score."""

    start: int
    end: int
    raw: str  # document[start:end]
    text: str  # raw without Markdown
    heading: str
    is_spoken: bool  # a quotation is open before the sentence, so that the sentence does not name its speaker
    unit: Vector = field(default_factory=dict)
    score: float = 0.0  # the scores of a document add up to 1

    @property
    def is_statement(self) -> bool:
        """Return whether this is a whole, well-formed statement of at least six words, not begun inside a quotation."""
        return not self.is_spoken and _is_statement(self.text)

    @property
    def is_independent(self) -> bool:
        """Return whether the sentence is a statement that can be understood without the sentence before it."""
        return self.is_statement and is_independent(self.text)


@lru_cache(maxsize=512)
def _is_statement(text: str) -> bool:
    return (
        count(text) >= _MIN_WORDS
        and not text.endswith(("?", "\uff1f"))
        and is_fit(text)
        and not SAYS["leaning"].match(text)
    )


@lru_cache(maxsize=48)
def ranked(document: str, lead: float = 0.6) -> tuple[Ranked, ...]:
    """Return the first 200 sentences of the document's paragraphs, in order, with their scores. The result is cached.

    Scores depend on the words that a sentence shares with others, and on its position, weighted by ``lead`` (0 to 1).
    """
    every, shares = _placed(document)
    places = [1 / (1 + at) for at in range(len(every))]
    total, even = sum(places), (1 - lead) / max(1, len(every))
    return tuple(
        replace(one, score=_SHARED * share + (1 - _SHARED) * (even + lead * place / total))
        for one, share, place in zip(every, shares, places, strict=True)
    )


@lru_cache(maxsize=16)
def _placed(document: str) -> tuple[list[Ranked], list[float]]:
    """Return the document's sentences, not scored yet, and each sentence's similarity to the others."""
    every = (
        (sentence, block.heading, is_spoken)
        for block in article(document)
        if block.kind == "paragraph" and is_prose(block)
        for sentence, is_spoken in spoken(block.text, block.start)
    )
    found = []
    for at, (whole, heading, is_spoken) in enumerate(islice(every, _MAX_SENTENCES)):
        dateline = SAYS["dateline"].match(whole.text, 0, _LONGEST_DATELINE) if at < _BEGINNING else None
        skipped = dateline.end() if dateline else 0
        raw = whole.text[skipped:]
        found.append(Ranked(whole.start + skipped, whole.end, raw, plain(raw), heading, is_spoken))
    units = _vectors([one.text for one in found])
    return [replace(one, unit=unit) for one, unit in zip(found, units, strict=True)], _shares(units)


def spoken(text: str, offset: int) -> Iterator[tuple[Sentence, bool]]:
    """Yield each sentence of a paragraph at ``offset``, and whether the sentence begins inside a quotation."""
    last = dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d", -1)  # the last index of each mark
    straight = read = 0
    for sentence in sentences(text, offset):
        start = sentence.start - offset
        for mark, place in last.items():
            last[mark] = max(place, text.rfind(mark, read, start))
        straight += text.count('"', read, start)
        read = start
        # A quotation is open if the last mark is an opening mark. The mark “ opens in English, but closes in German.
        is_german = last["\u201e"] >= 0
        opened = max(last[mark] for mark in "\u201c\u201e\u00ab\u300c" if not (is_german and mark == "\u201c"))
        closed = max(last[mark] for mark in ("\u201d\u00bb\u300d\u201c" if is_german else "\u201d\u00bb\u300d"))
        yield sentence, straight % 2 == 1 or opened > closed


def _vectors(texts: Sequence[str]) -> list[Vector]:
    """Return a unit vector of weighted words (tf-idf over ``texts``) for each text."""
    counts = [Counter(terms(text)) for text in texts]
    documents = Counter(word for count in counts for word in count)
    rarity = {number: math.log(1 + len(texts) / number) for number in set(documents.values())}
    found: list[Vector] = []
    for each in counts:
        weighted = {word: (1 + math.log(times)) * rarity[documents[word]] for word, times in each.items()}
        length = math.sqrt(sum([weight * weight for weight in weighted.values()]))
        found.append({word: weight / length for word, weight in weighted.items()} if length else {})
    return found


def _shares(units: Sequence[Vector]) -> list[float]:
    """Return each sentence's similarity to all other sentences. The similarities add up to 1."""
    everything: dict[str, float] = defaultdict(float)
    for unit in units:
        for word, weight in unit.items():
            everything[word] += weight
    near = [sum([weight * (everything[word] - weight) for word, weight in unit.items()]) for unit in units]
    total = sum(near) or 1.0
    return [one / total for one in near]


def best(pool: Sequence[Ranked], most: int, *, bonus: Callable[[Ranked], float] = lambda _: 1.0) -> list[Ranked]:
    """Return up to ``most`` sentences, best first, by maximal marginal relevance (Carbonell and Goldstein, 1998)."""
    scores = [item.score * bonus(item) for item in pool]
    top = max(scores, default=0.0) or 1.0
    nearest = dict.fromkeys(range(len(pool)), 0.0)  # each remaining sentence's similarity to the nearest chosen one
    chosen: list[Ranked] = []
    while nearest and len(chosen) < most:
        at = max(nearest, key=lambda index: (_BALANCE * scores[index] / top - (1 - _BALANCE) * nearest[index], -index))
        del nearest[at]
        chosen.append(pool[at])
        for index in nearest:
            nearest[index] = max(nearest[index], _similarity(pool[index].unit, pool[at].unit))
    return chosen


def _similarity(left: Vector, right: Vector) -> float:
    """Return the cosine of two unit vectors."""
    if len(left) > len(right):
        left, right = right, left
    return sum(weight * right[word] for word, weight in left.items() if word in right)
