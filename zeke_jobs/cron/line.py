"""Parses a cron line (five fields or an @name) strictly, with a reason for each error."""

import re
from typing import NamedTuple

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_TERM = re.compile(
    r"(?P<first>\*|[a-z]+|[0-9]{1,9})(-(?P<last>[a-z]+|[0-9]{1,9}))?(/(?P<step>[0-9]{1,9}))?", re.ASCII | re.IGNORECASE
)
_DIALECT = re.compile(r"[0-9a-z]*#.*|[0-9]*[lw]{1,2}|\?", re.IGNORECASE)


class CronError(ValueError):
    """An invalid cron line: ``reason`` has the expected form, ``help`` the remedy, if known."""

    def __init__(self, reason: str, help: str = "") -> None:  # noqa: A002 (the diagnostics' word)
        super().__init__(f"{reason}; {help}" if help else reason)
        self.reason = reason
        self.help = help


class Fields(NamedTuple):
    """The values of the five fields. Weekdays are 0 (Sunday) to 6.

    As in cron, day and weekday must ``both`` match if one of these two fields starts with ``*``; otherwise one is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool


def read(text: str) -> Fields:
    """Read the values of a cron line.

    Raises CronError if the line is not five fields or a known @name, a field is not valid, or the day does not exist.
    """
    line = text.strip()
    if line.startswith("@") and line.lower() not in SHORTHANDS:
        help_ = "a schedule has times, not events" if line.lower() == "@reboot" else "write the five fields"
        raise CronError(f"expected one of {', '.join(SHORTHANDS)}, got {line!r}", help_)
    words = SHORTHANDS.get(line.lower(), line).split()
    if len(words) != len(_FIELDS):
        raise CronError(
            f"expected five fields (minute, hour, day of month, month, day of week), got {len(words)}",
            "seconds and years are not part of a cron line" if len(words) > len(_FIELDS) else "",
        )
    minutes, hours, days, months, weekdays = (
        frozenset[int]().union(*(field.values(term, word) for term in word.split(",")))
        for field, word in zip(_FIELDS, words, strict=True)
    )
    both = words[2].startswith("*") or words[4].startswith("*")
    if both and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        names = ", ".join(MONTHS[month - 1] for month in sorted(months))
        raise CronError(
            f"expected a day that comes, got day {min(days)} of {names}",
            "no such month is that long, so this would never fire",
        )
    return Fields(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), both)


class _Field(NamedTuple):
    name: str
    within: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    accepts: str = ""

    def values(self, term: str, word: str) -> range:
        """The values of one of the terms that ``word`` separates by commas."""
        match = _TERM.fullmatch(term)
        if match is None:
            raise self._unexpected(repr(word), _foreign(term))
        first, last, step = match["first"], match["last"], match["step"]
        if first == "*":
            if last is not None:
                raise self._unexpected(repr(word), "write * alone or before a step: */5")
            low, high = self.low, self.high - (self.high == 7)
        else:
            low = self._value(first)
            high = low if last is None else self._value(last)
            if last is not None and last.lower() == "sun" and low > 0:
                high = 7
            if high < low:
                end, start = (self.names[-1], self.names[0]) if self.names else (self.high, self.low)
                raise CronError(
                    f"expected a range that ends after it begins, got {self.name} {term!r}",
                    f"write {first}-{end},{start}-{last}",
                )
            if step is not None and last is None:
                fault = f"expected a range or * before the step, got {self.name} {term!r}"
                raise CronError(fault, f"write {first}-{self.high}/{step}")
        widest = self.high - self.low - (self.high == 7)
        if step is not None and not 1 <= int(step) <= widest:
            raise CronError(
                f"expected a step of 1 to {widest} for {self.name}, got {term!r}",
                f"steps start anew with each {self.within}, so none can be longer" if int(step) else "",
            )
        return range(low, high + 1, int(step or 1))

    def _value(self, word: str) -> int:
        if word.isdigit():
            if not self.low <= int(word) <= self.high:
                raise self._unexpected(word)
            return int(word)
        name = word.lower()
        if name in self.names:
            return self.names.index(name) + self.low
        raise self._unexpected(repr(word), f"write {name[:3]}" if name[:3] in self.names else _foreign(word))

    def _unexpected(self, got: str, help_: str = "") -> CronError:
        return CronError(f"expected {self.name} {self.low}-{self.high}{self.accepts}, got {got}", help_)


_FIELDS = (
    _Field("minute", "hour", 0, 59),
    _Field("hour", "day", 0, 23),
    _Field("day of month", "month", 1, 31),
    _Field("month", "year", 1, 12, MONTHS, " or jan-dec"),
    _Field("day of week", "week", 0, 7, WEEKDAYS, " or sun-sat"),
)


def _foreign(term: str) -> str:
    return "L, W, # and ? belong to other dialects of cron" if _DIALECT.fullmatch(term) else ""
