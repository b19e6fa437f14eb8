"""Parses a cron line (five fields or an @name) strictly, with a reason for each error."""

import re
from dataclasses import dataclass
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


class _Kind(NamedTuple):
    name: str
    within: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    accepts: str = ""


_KINDS = (
    _Kind("minute", "hour", 0, 59),
    _Kind("hour", "day", 0, 23),
    _Kind("day of month", "month", 1, 31),
    _Kind("month", "year", 1, 12, MONTHS, " or jan-dec"),
    _Kind("day of week", "week", 0, 7, WEEKDAYS, " or sun-sat"),
)


@dataclass(frozen=True)
class Fields:
    """The values of the five fields.

    ``any_day`` and ``any_weekday`` mean that the field starts with ``*``. As in cron, day and weekday must both match
    if one of the two fields starts with ``*``; otherwise one match is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool


def read(text: str) -> Fields:
    """Read the values of a cron line. Weekdays are 0 (Sunday) to 6.

    Raises CronError if the line is not five fields or a known @name, a field is not valid, or the day does not exist.
    """
    words = _spelled_out(text.strip()).split()
    if len(words) != len(_KINDS):
        raise CronError(
            f"expected five fields (minute, hour, day of month, month, day of week), got {len(words)}",
            "seconds and years are not part of a cron line" if len(words) > len(_KINDS) else "",
        )
    minutes, hours, days, months, weekdays = (
        frozenset[int]().union(*(_term(kind, term, word) for term in word.split(",")))
        for kind, word in zip(_KINDS, words, strict=True)
    )
    any_day, any_weekday = words[2].startswith("*"), words[4].startswith("*")
    weekdays = frozenset(day % 7 for day in weekdays)
    fields = Fields(minutes, hours, days, months, weekdays, any_day=any_day, any_weekday=any_weekday)
    _refuse_a_day_that_never_comes(fields)
    return fields


def _spelled_out(line: str) -> str:
    if not line.startswith("@"):
        return line
    if line.lower() not in SHORTHANDS:
        raise CronError(
            f"expected one of {', '.join(SHORTHANDS)}, got {line!r}",
            "a schedule has times, not events" if line.lower() == "@reboot" else "write the five fields",
        )
    return SHORTHANDS[line.lower()]


def _term(kind: _Kind, term: str, word: str) -> frozenset[int]:
    expected = f"expected {kind.name} {kind.low}-{kind.high}{kind.accepts}"
    match = _TERM.fullmatch(term)
    if match is None:
        raise CronError(f"{expected}, got {word!r}", _foreign(term))
    first, last, step = match["first"], match["last"], match["step"]
    if first == "*":
        if last is not None:
            raise CronError(f"{expected}, got {word!r}", "write * alone or before a step: */5")
        low, high = kind.low, kind.high - (kind.high == 7)
    else:
        low = _value(kind, first, expected)
        high = low if last is None else _value(kind, last, expected)
        if last is not None and last.lower() == "sun" and low > 0:
            high = 7
        if high < low:
            end, start = (kind.names[-1], kind.names[0]) if kind.names else (kind.high, kind.low)
            raise CronError(
                f"expected a range that ends after it begins, got {kind.name} {term!r}",
                f"write {first}-{end},{start}-{last}",
            )
        if step is not None and last is None:
            raise CronError(
                f"expected a range or * before the step, got {kind.name} {term!r}", f"write {first}-{kind.high}/{step}"
            )
    if step is None:
        return frozenset(range(low, high + 1))
    widest = kind.high - kind.low - (kind.high == 7)
    if not 1 <= int(step) <= widest:
        raise CronError(
            f"expected a step of 1 to {widest} for {kind.name}, got {term!r}",
            f"steps start anew with each {kind.within}, so none can be longer" if int(step) else "",
        )
    return frozenset(range(low, high + 1, int(step)))


def _value(kind: _Kind, word: str, expected: str) -> int:
    if word.isdigit():
        value = int(word)
        if not kind.low <= value <= kind.high:
            raise CronError(f"{expected}, got {word}")
        return value
    name = word.lower()
    if name in kind.names:
        return kind.names.index(name) + kind.low
    short = name[:3]
    raise CronError(f"{expected}, got {word!r}", f"write {short}" if short in kind.names else _foreign(word))


def _foreign(term: str) -> str:
    return "L, W, # and ? belong to other dialects of cron" if _DIALECT.fullmatch(term) else ""


def _refuse_a_day_that_never_comes(fields: Fields) -> None:
    if not (fields.any_day or fields.any_weekday):
        return  # one of the two fields is enough, and each weekday exists
    if min(fields.days) > max(_LONGEST_MONTH[month - 1] for month in fields.months):
        months = ", ".join(MONTHS[month - 1] for month in sorted(fields.months))
        raise CronError(
            f"expected a day that comes, got day {min(fields.days)} of {months}",
            "no such month is that long, so this would never fire",
        )
