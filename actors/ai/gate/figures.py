"""Compares the numbers of an answer with the numbers of a story."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, permutations

from actors.ai.gate.numbers import UNITS, Number, Reading, numbers, unit_of
from actors.ai.words import words_of

_LOOSE = 0.12  # the largest relative difference that "about", "nearly" and "more than" allow
_ONE = re.compile(r"\b(?:an?|one|eine?[mnrs]?|une?|una?|per|je) ([^\W\d_]+)\b", re.IGNORECASE)


def known_numbers(sentences: Sequence[str]) -> list[Number]:
    """Return the numbers of a story. The words "a week" count as one week."""
    found: list[Number] = []
    for sentence in sentences:
        mine = numbers(sentence, is_known=True)
        found += [*mine, *_joined(mine, sentence), *_computed(mine)]
        found += [
            Number(((unit[1], unit[0]),), frozenset({1.0}), match.group())
            for match in _ONE.finditer("" if words_of(sentence).isdisjoint(UNITS) else sentence)
            if (unit := unit_of(match.group(1)))[0]
        ]
    return found


def stands_among(number: Number, known: Iterable[Number]) -> bool:
    """Return whether one of a story's numbers (``known``) equals ``number`` or rounds to it, in the same unit."""
    return any(
        (number.is_open and bool(number.values & one.values))
        or any(_agree(number, mine, theirs) for mine in number.readings for theirs in one.readings)
        for one in known
    )


def _agree(number: Number, mine: Reading, theirs: Reading) -> bool:
    (value, unit), (other, other_unit) = mine, theirs
    if unit != other_unit:
        return False
    if math.isclose(value, other, rel_tol=1e-6):
        return True
    if not value or not other:
        return False
    if number.bound == ">":
        return value < other <= value * (1 + _LOOSE * (2 if number.digits == 1 else 1))
    if number.bound == "<":
        return value * (1 - _LOOSE) <= other < value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - number.digits + 1)
    near = abs(value - other) <= _LOOSE * abs(other)
    return near and ((number.bound == "~" and unit == "%") or (number.digits >= 2 and abs(value - other) <= step / 2))


def _joined(found: Sequence[Number], text: str) -> Iterator[Number]:
    """Yield the sum of each amount that is written in two parts, such as 5 hours and 40 minutes."""
    for one, other in pairwise(found):
        is_part = one.unit[0] == other.unit[0] != "" and one.unit[1] > other.unit[1]
        if is_part and re.fullmatch(r",?\s(?:and |und |et |y )?", text[one.end : other.start]):
            yield replace(one, readings=((one.readings[0][0] + other.readings[0][0], one.unit[0]),), is_open=False)


def _computed(found: Sequence[Number]) -> Iterator[Number]:
    """Yield 100 % minus each percentage. If just two amounts share a unit, also yield their difference and ratio."""
    of: defaultdict[str, list[Reading]] = defaultdict(list)
    for one in found:
        of[one.readings[0][1]].append(one.readings[0])
    made = [(100 - value, "%") for value, _ in of.pop("%", [])]
    for unit, amounts in of.items():
        for (mine, _), (theirs, _) in permutations(amounts, 2) if len(amounts) == 2 else []:
            if theirs > 0:
                ratio = mine / theirs
                made += [(mine - theirs, unit), (ratio, ""), (100 * ratio, "%"), (100 * abs(ratio - 1), "%")]
    yield Number(tuple(made), frozenset(), "")
