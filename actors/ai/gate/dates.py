"""Dates within running text, in nine languages: days, months, years, days of the week and times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from actors.calendar_names import MONTHS, WEEKDAYS

_MONTH = {word: at for names in MONTHS.values() for at, word in enumerate(names.split(), 1)}
_MONTH |= {word[:3]: at for at, word in enumerate(MONTHS["en"].split(), 1)}
_SURE = {language: names for language, names in WEEKDAYS.items() if language != "pt"}  # segunda also means "second"
_WEEKDAY = {
    word: at for names in _SURE.values() for at, forms in enumerate(names.split(), 1) for word in forms.split("|")
}
_NAME = rf"(?P<month>{'|'.join(sorted(_MONTH, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>[0-3]?[1-9]|[123]0)"
_YEAR = r"(?P<year>(?:1[5-9]|20)\d\d)"
_DIGIT = re.compile(r"\d")
#: Each of them has a digit.
_PATTERNS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})\b",
        rf"(?<![\d.,]){_DAY}(?:\.|st|nd|rd|th|er|º)?\s+(?:of\s+|de\s+)?{_NAME}(?:,?\s+(?:de\s+)?{_YEAR}\b)?",
        rf"\b{_NAME}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*(?:%|percent|million|billion))(?:,?\s+{_YEAR}\b)?",
        rf"\b{_NAME}\s+(?:of\s+|de\s+)?{_YEAR}\b",
        r"\b(?P<day>\d{1,2})[./](?P<number>\d{1,2})[./](?P<year>\d{4})\b",
        r"(?:(?P<year>\d{4})年)?(?P<number>\d{1,2})月(?:(?P<day>\d{1,2})日)?",
        r"(?P<year>\d{4})年",
        rf"(?<![\d.,$€£]){_YEAR}(?![\d%]|[.,]\d|\s?(?:euros?|dollars?|people|percent|GB|MB|km|kg)\b)",
    )
]
_ALONE = re.compile(rf"(?<![\w-]){_NAME}", re.IGNORECASE)
_UNSURE = frozenset("march may mar mars mai jun jan sep dec oct nov feb apr jul aug mei".split())  # noqa: SIM905
_WORD = re.compile(r"[^\W\d_]+")
_TIME = re.compile(r"\b\d{1,2}:\d{2}\b")


@dataclass(slots=True)
class Dates:
    """The dates of a text, as parts that are looked up one by one, and the text without them."""

    days: set[tuple[int, int]] = field(default_factory=set)
    months: set[int] = field(default_factory=set)
    years: set[int] = field(default_factory=set)
    weekdays: set[int] = field(default_factory=set)
    times: set[str] = field(default_factory=set)
    rest: str = ""

    def missing(self, known: Dates) -> str | None:
        """The first part that ``known`` does not have, in words."""
        for name in ("years", "months", "days", "weekdays", "times"):
            for part in sorted(getattr(self, name) - getattr(known, name)):
                return f"{_CALLED[name]} {_shown(name, part)}"
        return None


_CALLED = {"years": "the year", "months": "the month of", "days": "the day", "weekdays": "the day", "times": "the time"}


def _shown(name: str, part: object) -> str:
    if name == "months":
        return next(word.capitalize() for word, at in _MONTH.items() if at == part)
    if name == "weekdays":
        return next(word.capitalize() for word, at in _WEEKDAY.items() if at == part)
    if isinstance(part, tuple):
        return f"{part[1]} {_shown('months', part[0])}"
    return str(part)


def dates(text: str) -> Dates:
    """The dates of ``text``. A bare "may" or "march" is a verb, unless a day or a year stands beside it."""
    found, rest = Dates(), text
    if _DIGIT.search(text):
        found.times = set(_TIME.findall(text))
        rest = _TIME.sub(" ", text)
        for pattern in _PATTERNS:
            rest = pattern.sub(lambda match: _note(found, match.groupdict()), rest)
    words = {word.lower() for word in _WORD.findall(rest)}
    for match in [] if words.isdisjoint(_MONTH) else _ALONE.finditer(rest):
        name = match.group("month").lower()
        if name not in _UNSURE or (name in {"march", "may"} and _is_month(rest, match)):
            found.months.add(_MONTH[name])
    found.weekdays = {_WEEKDAY[word] for word in words if word in _WEEKDAY}
    found.rest = rest
    return found


def _is_month(text: str, match: re.Match[str]) -> bool:
    before = re.search(
        r"\b(in|since|until|by|from|of|last|next|early|late|end of|mid)[ -]$",
        text[max(0, match.start() - 10) : match.start()],
    )
    return match.group()[0].isupper() and before is not None


def _note(found: Dates, parts: dict[str, str | None]) -> str:
    name, number, day, year = (parts.get(key) for key in ("month", "number", "day", "year"))
    month = _MONTH[name.lower()] if name else int(number) if number else None
    if year:
        found.years.add(int(year))
    if month and month <= 12:
        found.months.add(month)
        if day:
            found.days.add((month, int(day)))
    return " , "
