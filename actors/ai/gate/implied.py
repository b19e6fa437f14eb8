"""The numbers that a story has, and the numbers that follow from them.

A number follows by rounding or by words such as "more than"; as a sum, a difference, a share, a change or a ratio of two numbers
of one sentence; as the rest of a hundred per cent; as the length of a list; or as years before or after a year.
"""

from __future__ import annotations

import math
import re
from itertools import permutations
from typing import TYPE_CHECKING

from actors.ai.gate.units import MONEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from actors.ai.gate.numbers import Number, Reading

_LOOSE = 0.12  # reach of "about", "nearly" and "more than"
_SHARE = 1.5  # reach of "more than" and "less than" for a computed value
_MOST = 16  # numbers of a sentence that are combined
_SHARED_OUT = re.compile(r"\b(?:each|per|je|jeder?|jeweils|chacune?|cada|half|average)\b|每|各|半", re.IGNORECASE)
_LISTED = re.compile(
    r"(?:[\w'’-]+(?: [\w'’-]+){0,3}, )+[\w'’-]+(?: [\w'’-]+){0,3},? (?:and|or|und|oder|et|ou"
    r"|y|e|o) "
)


def follows(number: Number, sentence: str, known: Sequence[Sequence[Number]], text: str) -> bool:
    """Whether a number of an answer's ``sentence`` is in the story, or follows from the story's numbers.

    Args:
        number: The answer's.
        sentence: Its sentence in the answer.
        known: The numbers of each of the story's sentences.
        text: The story's sentences as one text.
    """
    flat = [reading for each in known for one in each for reading in one.readings]
    if any(_same(mine, theirs) or _rounds(number, mine, theirs) for mine in number.readings for theirs in flat):
        return True
    if number.is_word and _counts(number, text):
        return True
    if _SHARED_OUT.search(sentence) and _shared_out(number, flat):
        return True
    return any(_near(number, mine, made) for numbers in known for made in _made_of(numbers) for mine in number.readings)


def years(known: Iterable[Number], written: Iterable[int]) -> set[int]:
    """Years that follow from the story's: a number of years before or after one of them."""
    spans = {round(value / 12) for one in known for value, unit in one.readings if unit == "month" and value % 12 == 0}
    return {year + sign * span for year in written for span in spans for sign in (1, -1)}


def _same(mine: Reading, theirs: Reading) -> bool:
    """Whether two values are equal and their units agree; a number without a unit agrees with all units but a percentage."""
    (value, unit), (other, other_unit) = mine, theirs
    fits = unit == other_unit or not unit or (not other_unit and unit != "%")
    return fits and math.isclose(value, other, rel_tol=1e-6)


def _rounds(number: Number, mine: Reading, theirs: Reading) -> bool:
    """Whether ``theirs`` becomes ``mine`` by rounding to the digits that ``mine`` has."""
    (value, unit), (other, other_unit) = mine, theirs
    if not value or not other or not (unit == other_unit or not unit or (not other_unit and unit != "%")):
        return False
    if number.bound == ">":
        return value < other <= value * (1 + _LOOSE * (2 if number.digits == 1 else 1))
    if number.bound == "<":
        return value * (1 - _LOOSE) <= other < value
    step = 10.0 ** (math.floor(math.log10(abs(value))) - number.digits + 1)
    least = 1 if number.bound else 2
    return number.digits >= least and abs(value - other) <= step / 2 and abs(value - other) <= _LOOSE * abs(other)


def _near(number: Number, mine: Reading, made: Reading) -> bool:
    """Whether a number equals a computed value, as exactly as the number is given."""
    (value, unit), (other, other_unit) = mine, made
    if unit != other_unit:
        return False
    if number.bound == ">":
        return value <= other <= value * _SHARE
    if number.bound == "<":
        return value / _SHARE <= other <= value
    if number.bound == "~":
        return math.isclose(value, other, rel_tol=_LOOSE)
    return math.isclose(value, other, rel_tol=1e-6) or (unit in {"%", "×"} and abs(value - other) <= 0.5 * _last(value))


def _last(value: float) -> float:
    return 1.0 if float(value).is_integer() else 0.1


def _made_of(numbers: Sequence[Number]) -> Iterator[Reading]:
    """The values that follow from the numbers of one sentence."""
    for one in numbers:
        yield from ((100 - value, "%") for value, unit in one.readings if unit == "%")
    for one, other in permutations(numbers[:_MOST], 2):
        for value, unit in one.readings:
            for second, second_unit in other.readings:
                if unit == second_unit and unit != "%" and second:
                    yield from ((value + second, unit), (value - second, unit))
                    yield from ((100 * value / second, "%"), (100 * abs(value - second) / second, "%"))
                    yield 100 - 100 * value / second, "%"
                    yield from ((value / second, ""), (value / second, "×"))
                elif second_unit == "%" and (unit in MONEY or value > 100):
                    yield value * second / 100, unit


def _counts(number: Number, text: str) -> bool:
    """Whether the story has a list of that length."""
    wanted = int(number.readings[0][0])
    return any(
        match.group().count(", ") + (not match.group().rstrip().endswith(",")) + 1 >= wanted > 2
        for match in _LISTED.finditer(text)
    )


def _shared_out(number: Number, known: Iterable[Reading]) -> bool:
    """Whether an amount of the story, divided among two to twelve, gives the number."""
    return any(
        unit == other_unit and unit in MONEY and any(math.isclose(value * parts, other) for parts in range(2, 13))
        for value, unit in number.readings
        for other, other_unit in known
    )
