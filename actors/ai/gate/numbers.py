"""Numbers as texts write them, in one form: value and unit, so that 2 billion, 2,000,000,000 and 2bn are the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.ai.gate.units import CURRENCIES, FRACTIONS, PERCENT, SCALES, UNITS, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

Reading = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text.

    Attributes:
        readings: Its possible values: ``1.200`` is 1.2 or 1200, ``31m`` is 31 metres or 31 million. Units are
    normalised, empty for none.
        text: As it is written, with its unit.
        start: Where it begins.
        digits: The number of its significant digits: one for 200, two for 1.8.
        bound: ``>`` after words such as "more than", ``<`` after "less than", ``~`` after "about", else empty.
        is_word: Whether it is written in letters.
    """

    readings: tuple[Reading, ...]
    text: str
    start: int
    digits: int
    bound: str
    is_word: bool


_BOUNDS = {
    ">": r"more than|over|above|at least|exceed\w*|upwards of|mehr als|über|plus de|más de|oltre|以上|超过|超",
    "<": r"less than|under|below|nearly|almost|up to|at most|fewer than|just short of|weniger als|unter|fast|knapp|"
    r"presque|près de|moins de|casi|menos de|未満|近|不到",
    "~": r"about|around|some|roughly|approximately|circa|ca\.|etwa|rund|ungefähr|environ|quelque|unos"
    r"|cerca de|alrededor de|約|约|大约",
}
_BOUND = re.compile(
    rf"(?:{'|'.join(f'(?P<b{at}>{words})' for at, words in enumerate(_BOUNDS.values()))})\W*(?:an?\s+|one\s+|$)*$",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"(US\$|[$€£¥₹₽]|\b(?:USD|EUR|GBP|CHF|JPY|CNY))\s?$")
_GROUPED = r"\d{1,3}(?:[,.'\u2019\u00a0\u202f ]\d{3})+(?![\d])(?:[.,]\d{1,2}(?!\d))?"
_NUMBER = re.compile(
    rf"(?<![A-Za-zÀ-ÿ\d.])(?:{_GROUPED}|\d+(?:[.,]\d+)?)"
    rf"|\b(?:{'|'.join(WORDS)})(?:-(?:two|three|four|five|six|seven|eight|nine))?\b"
    r"|[\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u4e24\u4e00](?=[割成台名家年人个個座つ倍])",
    re.IGNORECASE,
)
_HAN = {char: float(value) for value, char in enumerate("一二三四五六七八九十", 1)} | {"两": 2.0}
_HAN_SCALES = {"百": 1e2, "千": 1e3, "万": 1e4, "億": 1e8, "亿": 1e8, "兆": 1e12}
_HAN_TAIL = re.compile(r"([百千])?([万億亿兆])?")
_HAN_MORE = re.compile(r"(\d+)([万千百])")  # the rest of 2億5000万
_HAN_UNIT = re.compile(
    r"(?:パーセント|個百分點|个百分点|ユーロ|キロ|時間|分钟|小时|公里|美元|欧元|ドル|[円元年天秒吨%])"
)
_TAIL = re.compile(r"[\s\u00a0-]{0,2}([^\W\d_]+\.?|%)")
_PER_CENT = re.compile(
    r"[\s\u00a0]?(?:per cent|pour cent|por ciento|por cento|per cento|percentage points?)\b", re.IGNORECASE
)
_RANGE = re.compile(r"^\s?(?:to|and|or|bis|und|oder|à|et|y|a|-|\u2013|から|至)\s?$")
_FRACTION = re.compile(
    rf"\b(?:(two|three|zwei|drei|deux|dos)[\s-])?({'|'.join(FRACTIONS)})s?\b|(半分|一半|半数)", re.IGNORECASE
)
_SHORT = 8  # characters before a number in which its article is looked for
_PLACES = frozenset({"third", "quarter", "fifth", "tenth"})
_PART_OF = re.compile(r"\s*(?:of|der|des|du|de|as|that|le|la)\b|s\b")


def numbers(text: str) -> list[Number]:
    """The numbers of ``text`` in order. Remove dates and identifiers before."""
    found: list[Number] = []
    for match in _NUMBER.finditer(text):
        if not found or match.start() >= found[-1].start + len(found[-1].text):
            found.append(_number(text, match))
    for at in range(len(found) - 1):  # in "two to three million dollars" the two is in millions of dollars, too
        one, other = found[at], found[at + 1]
        is_bare = re.fullmatch(r"[\d.,]+|[a-zäöüß-]+", one.text, re.IGNORECASE)
        if is_bare and _RANGE.match(text[one.start + len(one.text) : other.start]):
            more = tuple((value * scale, unit) for value, _ in one.readings for scale, unit in _kinds(other))
            found[at] = Number((*one.readings, *more), one.text, one.start, one.digits, one.bound, one.is_word)
    shares = list(_shares(text))
    return sorted(
        [*(each for each in found if each.start not in {share.start for share in shares}), *shares],
        key=lambda each: each.start,
    )


def _kinds(number: Number) -> Iterator[tuple[float, str]]:
    for value, unit in number.readings:
        if unit or value >= 1e6:
            yield (
                (next((scale for scale in (1e12, 1e9, 1e6, 1e3) if value >= scale), 1.0) if value >= 1e6 else 1.0),
                unit,
            )


def _shares(text: str) -> Iterator[Number]:
    """Halves, thirds and the like, as percentages; "third" alone is a place in a row."""
    for match in _FRACTION.finditer(text):
        times, name, han = match.groups()
        if not (han or times) and name.lower() in _PLACES and not _is_part(text, match):
            continue
        value = 50.0 if han else FRACTIONS[name.lower()] * (WORDS[times.lower()] if times else 1)
        yield Number(((value, "%"),), match.group(), match.start(), 1, _bound(text, match.start()) or "~", is_word=True)


def _is_part(text: str, match: re.Match[str]) -> bool:
    """Whether a third is one of three parts: "a third of", not "the third"."""
    return bool(
        _PART_OF.match(text, match.end())
        and re.search(r"\b(?:an?|one)\s$", text[max(0, match.start() - _SHORT) : match.start()])
    )


def _number(text: str, match: re.Match[str]) -> Number:
    raw, end = match.group(), match.end()
    if raw in _HAN:
        values, digits = [_HAN[raw]], 1
        if text[end : end + 1] in {"割", "成"}:
            return Number(((values[0] * 10, "%"),), raw + text[end], match.start(), 1, "~", is_word=True)
    elif raw[0].isdigit():
        values, digits = _values(raw)
    else:
        tens, _, ones = raw.lower().partition("-")
        values, digits = [WORDS[tens] + WORDS.get(ones, 0)], 1
    scale, unit, end = _scale(text, end)
    if scale >= 1e4 and (more := _HAN_MORE.match(text, end)):
        values = [value + int(more.group(1)) * _HAN_SCALES[more.group(2)] / scale for value in values]
        _, unit, end = _scale(text, more.end())
    prefix = _PREFIX.search(text[max(0, match.start() - 5) : match.start()])
    start = match.start() - (len(prefix.group()) if prefix else 0)
    if prefix:
        unit = ("USD" if "$" in prefix.group() else CURRENCIES[prefix.group(1).lower()], 1.0)
        end = max(end, match.end())
    readings = {(round(value * scale * unit[1], 9), unit[0]) for value in values}
    if text[match.end() : end].strip() in {"m", "M"} and scale == 1e6:
        readings |= {(value, "m") for value in values}
    return Number(tuple(sorted(readings)), text[start:end], start, digits, _bound(text, start), not raw[0].isdigit())


def _values(raw: str) -> tuple[list[float], int]:
    bare = re.sub(r"['\u2019\u00a0\u202f ]", "", raw)
    marks = [char for char in bare if char in ",."]
    whole = bare.replace(",", "").replace(".", "")
    digits = len(
        whole.lstrip("0").rstrip("0") if not marks or len(bare.rpartition(marks[-1])[2]) == 3 else whole.lstrip("0")
    )
    if not marks:
        return [float(whole)], max(1, digits)
    head, _, tail = bare.rpartition(marks[-1])
    decimal = float(f"{head.replace(',', '').replace('.', '')}.{tail}")
    if len(tail) != 3 or len(set(marks)) > 1:
        return [decimal], max(1, digits)
    return ([float(whole)] if len(marks) > 1 else [float(whole), decimal]), max(1, digits)


def _scale(text: str, end: int) -> tuple[float, tuple[str, float], int]:
    """The meaning of the words after a number: a factor, a unit with its own factor, and the end of the words."""
    scale = 1.0
    han = _HAN_TAIL.match(text, end)
    if han and han.group():
        for char in han.group(1, 2):
            scale *= _HAN_SCALES.get(char or "", 1.0)
        end = han.end(2) if han.group(2) else han.end(1) if han.group(1) else end
    if unit := _HAN_UNIT.match(text, end):
        return scale, _unit(unit.group()), unit.end()
    if share := _PER_CENT.match(text, end):
        return scale, ("%", 1.0), share.end()
    while tail := _TAIL.match(text, end):
        word = tail.group(1).lower().rstrip(".")
        is_letter = word in {"k", "m", "b"}
        if word not in SCALES or (is_letter and (tail.start(1) != end or (word == "m" and _is_length(text, tail)))):
            break
        scale, end = scale * SCALES[word], tail.end()
    of = re.compile(r"\s(?:de|d'|of)(?=\s)").match(text, end)
    if tail := _TAIL.match(text, of.end() if of and scale > 1 else end):
        unit_of = _unit(tail.group(1).rstrip("."))
        if unit_of[0]:
            return scale, unit_of, tail.end()
    return scale, ("", 1.0), end


def _is_length(text: str, tail: re.Match[str]) -> bool:
    """Whether the m of ``4 m`` can only be metres: a space stands before it."""
    return text[tail.start()].isspace()


def _unit(word: str) -> tuple[str, float]:
    lower = word.lower()
    if lower in PERCENT:
        return "%", 1.0
    return (CURRENCIES[lower], 1.0) if lower in CURRENCIES else UNITS.get(lower, ("", 1.0))


def _bound(text: str, start: int) -> str:
    match = _BOUND.search(text[max(0, start - 24) : start])
    return next((mark for mark, group in zip(_BOUNDS, match.groups(), strict=True) if group), "") if match else ""
