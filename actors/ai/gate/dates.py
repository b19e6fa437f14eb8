"""Finds dates within running text, in nine languages: days, months, years and days of the week."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from actors.ai.words import words_of
from actors.calendar_names import MONTHS, WEEKDAYS
from actors.patterns import patterns

_MONTH = {word: at for names in MONTHS.values() for at, word in enumerate(names.split(), 1)}
_MONTH |= {word[:3]: at for at, word in enumerate(MONTHS["en"].split(), 1)} | {"sept": 9}
_SURE = {language: names for language, names in WEEKDAYS.items() if language != "pt"}  # segunda also means "second"
_WEEKDAY = {
    word: at for names in _SURE.values() for at, forms in enumerate(names.split(), 1) for word in forms.split("|")
}
_ENGLISH = {at: word.capitalize() for at, word in enumerate(MONTHS["en"].split(), 1)}
_FORMS = patterns("actors.ai.gate", "dates.txt", months="|".join(sorted(_MONTH, key=len, reverse=True)))
_UNSURE = frozenset("march may mar mars mai jun jan sep dec oct nov feb apr jul aug mei".split())  # noqa: SIM905

Day = tuple[int | None, int | None, int | None]  # year, month and day; None for a part that is not given


@dataclass(slots=True)
class Dates:
    """Holds the dates and weekdays (Monday is 1) in a text. ``rest`` is the text without dates that have digits."""

    parts: set[Day | int]
    rest: str = ""

    @property
    def days(self) -> list[Day]:
        """Return the calendar dates, but not the weekdays."""
        return [part for part in self.parts if isinstance(part, tuple)]

    def missing(self, known: "Dates", numbers: Collection[float]) -> str | None:
        """Return the first date that is not in ``known``. A year alone may also be one of the story's ``numbers``."""
        years = {year for year, _, _ in known.days}
        for part in sorted(self.parts - known.parts, key=str):
            if isinstance(part, int):
                return f"the day {WEEKDAYS['en'].split()[part - 1].split('|')[0].capitalize()}"
            year, month, day = part
            is_year_of_story = month is None and year in {*years, *numbers}
            if not is_year_of_story and not any(_fits(part, other, years) for other in known.days):
                return f"the date {day or ''} {_ENGLISH.get(month or 0, '')} {year or ''}".replace("  ", " ").rstrip()
        return None


def _fits(mine: Day, theirs: Day, years: Collection[int | None]) -> bool:
    """Return whether the story's date ``theirs`` confirms ``mine``. If it has no year, any year in ``years`` fits."""
    same_year = mine[0] in {None, theirs[0]} or (theirs[0] is None and mine[0] in years)
    return same_year and mine[1] == theirs[1] and mine[2] in {None, theirs[2]}


def dates(text: str) -> Dates:
    """Return the dates of ``text``. An ambiguous word such as "may" is a month only next to a day, a year or "mid-"."""
    words = words_of(text)
    found = Dates({_WEEKDAY[word] for word in words if word in _WEEKDAY}, text)
    has_month = not words.isdisjoint(_MONTH)
    if _FORMS["digit"].search(text):
        for name, pattern in _FORMS.items():
            if name.startswith("date_") and (has_month or "month" not in pattern.groupindex):
                found.rest = pattern.sub(lambda match: _note(found, match), found.rest)
    for match in _FORMS["alone"].finditer(found.rest) if has_month else ():
        name = match.group("month").lower()
        if name not in _UNSURE or match.group("mid"):
            found.parts.add((None, _MONTH[name], None))
    return found


def _note(found: Dates, match: re.Match[str]) -> str:
    parts = match.groupdict()
    name, number, day, year = (parts.get(key) for key in ("month", "number", "day", "year"))
    month = _MONTH[name.lower()] if name else int(number) if number else None
    found.parts.add((int(year) if year else None, month, int(day) if day and month else None))
    return " , "
