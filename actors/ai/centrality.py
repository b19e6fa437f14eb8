"""Ranks the sentences of a text by how central they are, and chooses sentences without repetition."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from actors.ai.words import terms

Vector = dict[str, float]

_SHARED = 0.6  # the weight of what a sentence shares with the others; the rest is the weight of its place
_BALANCE = 0.65  # the weight of a sentence's score; the rest is the weight of its similarity to chosen sentences


def vectors(texts: Sequence[str]) -> list[Vector]:
    """One unit vector of weighted words (tf-idf over ``texts``) for each text."""
    counts = [_counts(text) for text in texts]
    documents: Counter[str] = Counter()
    for count in counts:
        documents.update(count.keys())
    rarity = {number: math.log(1 + len(texts) / number) for number in set(documents.values())}
    weights = {word: rarity[number] for word, number in documents.items()}
    found: list[Vector] = []
    for count in counts:
        weighted = {
            word: weights[word] if times == 1 else (1 + math.log(times)) * weights[word]
            for word, times in count.items()
        }
        length = math.sqrt(sum([weight * weight for weight in weighted.values()]))
        found.append({word: weight / length for word, weight in weighted.items()} if length else {})
    return found


@lru_cache(maxsize=512)
def _counts(text: str) -> Counter[str]:
    """The word counts of a sentence; cached, because a sentence is counted for the ranking and again as a candidate."""
    return Counter(terms(text))


def similarity(left: Vector, right: Vector) -> float:
    """The cosine of two vectors from ``vectors``."""
    if len(left) > len(right):
        left, right = right, left
    return sum(weight * right[word] for word, weight in left.items() if word in right)


def shares(units: Sequence[Vector]) -> list[float]:
    """For each sentence, how much it has in common with all others; the shares add up to 1."""
    everything: dict[str, float] = defaultdict(float)
    for unit in units:
        for word, weight in unit.items():
            everything[word] += weight
    near = [sum([weight * (everything[word] - weight) for word, weight in unit.items()]) for unit in units]
    total = sum(near) or 1.0
    return [one / total for one in near]


def rank(shared: Sequence[float], lead: float = 0.6) -> list[float]:
    """A score for each sentence, by its share and by its place, because news begin with the most important facts.

    ``lead``, from 0 to 1, says how much the beginning is preferred. ``shared`` is the result of ``shares``.
    """
    places = [1 / (1 + index) for index in range(len(shared))]
    total = sum(places)
    even = (1 - lead) / max(1, len(shared))
    return [
        _SHARED * share + (1 - _SHARED) * (even + lead * place / total)
        for share, place in zip(shared, places, strict=True)
    ]


def choose(units: Sequence[Vector], scores: Sequence[float], count: int) -> list[int]:
    """The indexes of up to ``count`` sentences, best first, by maximal marginal relevance (Carbonell and Goldstein, 1998).

    A sentence that repeats a chosen one loses points.
    """
    top = max(scores, default=0.0) or 1.0
    left = set(range(len(units)))
    chosen: list[int] = []
    nearest: dict[int, float] = dict.fromkeys(left, 0.0)
    while left and len(chosen) < count:
        best = max(left, key=lambda index: (_BALANCE * scores[index] / top - (1 - _BALANCE) * nearest[index], -index))
        left.remove(best)
        chosen.append(best)
        for index in left:
            nearest[index] = max(nearest[index], similarity(units[index], units[best]))
    return chosen
