"""Reads the numbers in a text as values with units, so that 2 billion, 2,000,000,000 and 2bn are equal."""

import re
from collections.abc import Iterator, Set as AbstractSet
from dataclasses import dataclass, replace
from importlib.resources import files

from actors.ai.words import SMALL, words_of
from actors.patterns import patterns

Reading = tuple[float, str]

#: These are words for numbers, scales and shares (in per cent) in several languages, from ``units.txt``.
WORDS: dict[str, float] = {}
SCALES: dict[str, float] = {}
FRACTIONS: dict[str, float] = {}
UNITS: dict[str, tuple[str, float]] = {}
_TABLES = {"number": WORDS, "scale": SCALES, "share": FRACTIONS}

for _line in (files("actors.ai.gate") / "units.txt").read_text(encoding="utf-8").splitlines()[1:]:
    _kind, _value, *_words = _line.split()
    for _word in _words:
        if _kind in _TABLES:
            _TABLES[_kind][_word] = float(_value)
        else:
            UNITS.setdefault(_word, (_kind, float(_value)))


@dataclass(frozen=True, slots=True)
class Number:
    """Describes a number in a text."""

    readings: tuple[Reading, ...]  # the possible values, each with its normalised unit, which may be empty
    values: frozenset[float]  # the values without the unit's factor
    text: str  # as the text has it at start, with the unit
    start: int = 0
    digits: int = 1  # significant digits: one for 200, two for 1.8
    bound: str = ""  # ">" after words such as "more than", "<" after "less than", "~" after "about"
    is_open: bool = False  # neither a unit nor a noun follows, as with the 64 in "from 64 to 18 kilobytes"
    unit: tuple[str, float] = ("", 1.0)  # its name and factor

    @property
    def end(self) -> int:
        """Return the index at which the number ends."""
        return self.start + len(self.text)


_BOUNDS = {"more": ">", "less": "<", "about": "~"}
_FORMS = patterns(
    "actors.ai.gate",
    "numbers.txt",
    words="|".join(WORDS),
    ones="|".join(("one", *(word for word, value in WORDS.items() if value < 10))),
    shares="|".join(FRACTIONS),
)
_HAN = {char: float(value) for value, char in enumerate("一二三四五六七八九十", 1)} | {"两": 2.0}
_HAN_SCALES = {"百": 1e2, "千": 1e3, "万": 1e4, "億": 1e8, "亿": 1e8, "兆": 1e12}
_SHARES = frozenset((*FRACTIONS, *(f"{name}s" for name in FRACTIONS)))
_PLACES = frozenset({"third", "quarter", "fifth", "tenth"})
_SHORT = 8  # number of characters before a share in which its article is looked for
_ADJECTIVE = 4  # minimum number of letters in a unit that follows an adjective


def unit_of(word: str) -> tuple[str, float]:
    """Return a unit's kind and factor, such as ``("s", 60.0)`` for "minute". The kind is empty for other words."""
    return UNITS.get(word.lower().rstrip(".²³"), ("", 1.0))


def numbers(text: str, *, is_known: bool = False) -> list[Number]:
    """Return the numbers of ``text`` in order. The caller has removed the dates from the text.

    A number without a unit may share the unit of any other number, as in "5 to 10 km", so it also gets readings (value
    and unit) with these units. In a story (``is_known``), it gets them only if no noun follows.
    """
    found: list[Number] = []
    words = words_of(text)
    pattern = _FORMS["figures" if words.isdisjoint(WORDS) else "number"]  # the search for words takes half of the time
    candidates = sorted(
        [*_phrases(text, words), *(_number(text, match) for match in pattern.finditer(text))],
        key=lambda each: (each.start, -len(each.text)),
    )
    for one in candidates:  # a phrase is longer than the number in it
        if not found or one.start >= found[-1].end:
            found.append(one)
    units = list(dict.fromkeys(one.unit for one in found if one.unit[0]))
    return [
        one
        if not units or one.unit[0] or (is_known and not one.is_open)
        else replace(one, readings=(*((v * factor, unit) for v in one.values for unit, factor in units), *one.readings))
        for one in found
    ]


def _phrases(text: str, words: AbstractSet[str]) -> Iterator[Number]:
    """Yield numbers written as fractions: "a third of", "three in five", "half an hour", "a day and a half"."""
    has_half = "half" in words
    for match in _FORMS["and_a_half"].finditer(text) if has_half else ():
        count, *names = match.groups()
        if (unit := unit_of(names[0] or names[1]))[0]:
            value = (1.0 if count.lower() in {"a", "an", "one"} else _values(count)[0][0]) + 0.5
            yield Number(((value * unit[1], unit[0]),), frozenset({value}), match.group(), match.start(), 2, unit=unit)
    for match in _FORMS["half_a"].finditer(text) if has_half else ():
        if (unit := unit_of(match.group(1)))[0] not in {"", "%"}:
            yield Number(((0.5 * unit[1], unit[0]),), frozenset({0.5}), match.group(), match.start(), unit=unit)
    for match in _FORMS["out_of"].finditer(text) if not words.isdisjoint(("in", "out")) else ():
        part, whole = (1.0 if one.lower() == "one" else _values(one)[0][0] for one in match.groups())
        if 0 < part < whole:
            yield _share(100 * part / whole, match, text)
    for match in _FORMS["fraction"].finditer(text) if "半" in text or not words.isdisjoint(_SHARES) else ():
        times, name, han = match.groups()
        half_unit = _FORMS["half_a"].match(text, match.start())
        is_half_unit = half_unit is not None and unit_of(half_unit.group(1))[0] not in {"", "%"}
        if is_half_unit or text[: match.start()].endswith("and a "):
            continue
        # A word such as "third" can be a share ("a third of") or a rank ("the third").
        is_part = _FORMS["part_of"].match(text, match.end()) and _FORMS["article"].search(
            text, max(0, match.start() - _SHORT), match.start()
        )
        if not (han or times) and name.lower() in _PLACES and not is_part:
            continue
        value = 50.0 if han else FRACTIONS[name.lower()] * (WORDS[times.lower()] if times else 1)
        yield _share(value, match, text)


def _share(value: float, match: re.Match[str], text: str) -> Number:
    bound = _bound(text, match.start()) or "~"
    return Number(((value, "%"),), frozenset(), match.group(), match.start(), bound=bound)


def _number(text: str, match: re.Match[str]) -> Number:
    raw, end = match.group(), match.end()
    scale, unit, end, has_noun = _scale(text, end)
    values, digits = ([_HAN[raw]], 1) if raw in _HAN else _values(raw, is_scaled=scale > 1)
    prefix = _FORMS["prefix"].search(text[max(0, match.start() - 5) : match.start()])
    start = match.start() - (len(prefix.group()) if prefix else 0)
    if prefix:
        unit = unit_of(prefix.group(1))
        end = max(end, match.end())
    scaled = frozenset(value * scale for value in values)
    readings = sorted((round(value * unit[1], 9), unit[0]) for value in scaled)
    is_open = not unit[0] and not has_noun
    bound = _bound(text, start)
    return Number(tuple(readings), scaled, text[start:end], start, digits, bound, is_open, unit)


def _values(raw: str, *, is_scaled: bool = False) -> tuple[list[float], int]:
    """Return a number's possible values and its significant digits. 1.200 is 1200 or, before "million", perhaps 1.2."""
    if not raw[0].isdigit():
        tens, _, ones = raw.lower().partition("-")
        return [WORDS[tens] + (1 if ones == "one" else WORDS.get(ones, 0))], 2 if ones else 1
    bare = re.sub(r"['\u2019\u00a0\u202f ]", "", raw)
    marks = [char for char in bare if char in ",."]
    whole = bare.replace(",", "").replace(".", "")
    is_whole = not marks or len(bare.rpartition(marks[-1])[2]) == 3
    digits = max(1, len(whole.lstrip("0").rstrip("0") if is_whole else whole.lstrip("0")))
    if not marks:
        return [float(whole)], digits
    head, _, tail = bare.rpartition(marks[-1])
    decimal = float(f"{head.replace(',', '').replace('.', '')}.{tail}")
    if len(marks) > 1 and len(set(marks)) == 1:
        return [float(whole)], digits
    if len(tail) != 3 or len(marks) > 1 or not head.strip("0"):
        return [decimal], digits
    return ([float(whole), decimal] if is_scaled else [float(whole)]), digits


def _scale(text: str, end: int) -> tuple[float, tuple[str, float], int, bool]:
    """Return the scale and unit that follow a number, the index where they end, and whether a unit or noun follows."""
    scale = 1.0
    han = _FORMS["han_tail"].match(text, end)
    if han and han.group():
        for char in han.group(1, 2):
            scale *= _HAN_SCALES.get(char or "", 1.0)
        end = han.end(2) if han.group(2) else han.end(1) if han.group(1) else end
    if unit := _FORMS["han_unit"].match(text, end):
        return scale, unit_of(unit.group()), unit.end(), True
    if share := _FORMS["per_cent"].match(text, end):
        return scale, ("%", 1.0), share.end(), True
    while tail := _FORMS["tail"].match(text, end):
        word = tail.group(1).lower().rstrip(".")
        if word not in SCALES or (len(word) == 1 and tail.start(1) != end):
            break
        scale, end = scale * SCALES[word], tail.end()
    return scale, *_unit_at(text, end)


def _unit_at(text: str, end: int) -> tuple[tuple[str, float], int, bool]:
    tail = _FORMS["tail"].match(text, end)
    if tail is None:
        return ("", 1.0), end, False
    word = tail.group(1)
    if (named := unit_of(word))[0]:
        return named, tail.end(), True
    if word.lower() in SMALL or word.lower() in {"st", "nd", "rd", "th"}:
        return ("", 1.0), end, False
    second = _FORMS["tail"].match(text, tail.end())
    if second and len(second.group(1)) >= _ADJECTIVE and (named := unit_of(second.group(1)))[0]:
        return named, second.end(), True  # a noun follows, as in "five working days"
    return ("", 1.0), end, True


def _bound(text: str, start: int) -> str:
    match = _FORMS["bound"].search(text[max(0, start - 24) : start])
    return _BOUNDS[match.lastgroup or ""] if match else ""
