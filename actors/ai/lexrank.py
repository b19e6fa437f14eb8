"""The most central sentences of a text: LexRank with a lead prior, and a choice without repetition."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from actors.ai.words import terms

Vector = dict[str, float]
Links = list[tuple[int, float]]

_DAMPING = 0.6
_THRESHOLD = 0.05
_ROUNDS = 30
_CLOSE_ENOUGH = 1e-4
_BALANCE = 0.7  # the weight of a score beside that of a repetition


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
    """The word counts of a sentence; remembered, because a sentence is counted for the ranking and again as a candidate."""
    return Counter(terms(text))


def similarity(left: Vector, right: Vector) -> float:
    """The cosine of two vectors from ``vectors``."""
    if len(left) > len(right):
        left, right = right, left
    return sum(weight * right[word] for word, weight in left.items() if word in right)


def links(units: Sequence[Vector]) -> list[Links]:
    """For each sentence, its neighbours and how its own weight is shared among them (shares add up to 1)."""
    holders: dict[str, list[tuple[int, float]]] = defaultdict(list)
    near: list[dict[int, float]] = [{} for _ in units]
    for index, unit in enumerate(units):
        row = near[index]
        for word, weight in unit.items():
            for other, its_weight in holders[word]:
                row[other] = row.get(other, 0.0) + weight * its_weight
            holders[word].append((index, weight))
    both: list[dict[int, float]] = [{} for _ in units]
    for index, row in enumerate(near):
        for other, weight in row.items():
            if weight >= _THRESHOLD:
                both[index][other] = both[other][index] = weight
    return [
        [(other, weight / total) for other, weight in row.items()] for row in both if (total := sum(row.values()) or 1)
    ]


def rank(shares: Sequence[Links], lead: float = 0.6) -> list[float]:
    """A score for each sentence; they add up to 1.

    LexRank (Erkan and Radev, 2004) over cosines. Its restart prefers the beginning, because news puts the most important things
    first: ``lead`` from 0 to 1 is the part of the restart that goes by position. ``shares`` is the result of ``links``.
    """
    size = len(shares)
    if size == 0:
        return []
    prior = _prior(size, lead)
    scores = prior
    for _ in range(_ROUNDS):
        lost = sum(score for score, row in zip(scores, shares, strict=True) if not row)
        restart = 1 - _DAMPING + _DAMPING * lost
        following = [restart * share for share in prior]
        for score, row in zip(scores, shares, strict=True):
            given = _DAMPING * score
            for other, share in row:
                following[other] += given * share
        moved = sum(abs(new - old) for new, old in zip(following, scores, strict=True))
        scores = following
        if moved < _CLOSE_ENOUGH:
            break
    return scores


def choose(units: Sequence[Vector], scores: Sequence[float], count: int) -> list[int]:
    """Indexes of up to ``count`` sentences, best first, by maximal marginal relevance.

    After Carbonell and Goldstein, 1998: it costs a sentence to repeat a chosen one.
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


def _prior(size: int, lead: float) -> list[float]:
    places = [1 / (1 + index) for index in range(size)]
    total = sum(places)
    return [(1 - lead) / size + lead * place / total for place in places]
