"""Reads the dates in feeds and pages, in many languages, with time zones as numbers or names."""
# ruff: noqa: RUF001 (months and marks in their own scripts)

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

from actors.calendar_names import MONTH_STARTS

_LONGEST = 120
_NOON = 12
_INDIA = timedelta(hours=5, minutes=30)  # IST is India more often than Israel

_CLOCK = (
    r"(?:(?:\s*,?\s*(?:at|um|kl|alle|as|a)?\.?\s+|\s*[t,@|·•–-]\s*|\s*)(?P<noon>오전|오후|上午|下午)?\s*(?P<hour>\d{1,2})"
    r"(?:[:h.時时点시]\s*(?P<minute>\d{2})(?:[:.分분]\s*(?P<second>\d{2})(?:[.,]\d+)?)?[분分초秒]?)\s*(?P<half>[ap]\.?m\b\.?)?"
    r"(?:\s*uhr)?)"
)
_ZONE = r"(?:\s*(?P<zone>(?P<name>[a-z]{1,5})?(?:\s*(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?)?)(?:\s*\([^()]*\))?)?"
_WEEKDAY = r"(?:[^\W\d_]{1,15}(?:-feira)?(?:[.,]+\s?|\s),?\s?)?"
_WORD = r"(?P<month>[^\W\d_]{3,12}(?:\s?الثاني)?)"
_ORDINAL = r"(?:st|nd|rd|th|er|o)?\.?"
_SHORT_YEAR = r"[.,]*[\s-]*(?:del?\s+)?(?P<year>\d{4}|\d\d)(?!\d)(?:\s?г\.?)?"
_YEAR = r"(?P<year>\d{4})"
_DAY = r"(?P<day>\d{1,2})"
_FORMS = [
    re.compile(pattern)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])\s?(?P<number>\d\d?)(?P=mark)\s?{_DAY}\.?(?:{_CLOCK}{_ZONE})?z?",
        rf"{_YEAR}(?P<number>\d\d){_DAY}(?:t?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?{_ZONE})?",
        rf"{_WEEKDAY}{_DAY}\.(?P<number>\d\d?)\.{_YEAR}(?:{_CLOCK}{_ZONE})?",
        rf"{_WEEKDAY}(?P<one>\d\d?)[/-](?P<other>\d\d?)[/-]{_YEAR}(?:{_CLOCK}{_ZONE})?",
        rf"{_WEEKDAY}{_DAY}{_ORDINAL}[\s-]*(?:de\s+|d')?{_WORD}{_SHORT_YEAR}(?:{_CLOCK}{_ZONE})?",
        rf"{_YEAR}\s+{_WORD}\s+{_DAY}",
        rf"{_WEEKDAY}{_WORD}\.?\s+{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}(?:{_CLOCK}{_ZONE})?",
        rf"{_WEEKDAY}{_WORD}\s+{_DAY}\s+(?P<hour>\d\d?):(?P<minute>\d\d):(?P<second>\d\d){_ZONE}\s+{_YEAR}",
        rf"{_YEAR}\s*[年년]\s*(?P<number>\d\d?)\s*[月월]\s*{_DAY}\s*[日일]?\s*(?:[(（]?[^\W\d_]{{1,3}}[)）])?(?:{_CLOCK}{_ZONE})?",
    )
]


def read_date(text: str) -> datetime | None:
    """Return the time in UTC that a text means. The text must be only a date. A date without a zone counts as UTC.

    The result is None if the text is not a date, may mean two days (as 3/4/2020), or names an unknown time zone.
    """
    text = _plain(text)
    found = (match.groupdict() for form in _FORMS if (match := form.fullmatch(text)) is not None)
    return next((moment for one in found if (moment := _moment(one)) is not None), None)


def _plain(text: str) -> str:
    """Return the text in lower case, without accents, with single spaces."""
    letters = unicodedata.normalize("NFKD", text[:_LONGEST].casefold())
    bare = "".join(one for one in letters if not unicodedata.combining(one))
    return unicodedata.normalize("NFC", " ".join(bare.split()))


def _moment(found: dict[str, str | None]) -> datetime | None:
    try:
        year = int(found["year"] or "")
        if len(found["year"] or "") == 2:  # RFC 2822, section 4.3
            year += 2000 if year < 50 else 1900
        day, month = _day_and_month(found)
        hour = int(found.get("hour") or 0)
        half, noon = found.get("half") or "", found.get("noon") or ""
        if half or noon:
            hour = hour % _NOON + (_NOON if half.startswith("p") or noon in {"오후", "下午"} else 0)
        days, hour = divmod(hour, 24) if hour == 24 else (0, hour)
        second = min(int(found.get("second") or 0), 59)
        moment = datetime(year, month, day, hour, int(found.get("minute") or 0), second, tzinfo=_zone(found))
        return (moment + timedelta(days=days)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day_and_month(found: dict[str, str | None]) -> tuple[int, int]:
    if found.get("one"):
        one, other = int(found["one"] or ""), int(found["other"] or "")
        if one <= _NOON and other <= _NOON and one != other:
            raise ValueError("the day and the month cannot be distinguished")
        return max(one, other), min(one, other)
    number, word = found.get("number"), found.get("month") or ""
    # If several beginnings of months' names fit, the longest is used.
    starts = ((len(start), month) for start, month in _STARTS if word.startswith(start))
    return int(found["day"] or ""), int(number) if number else max(starts)[1]


def _zone(found: dict[str, str | None]) -> timezone:
    name, sign = found.get("name"), found.get("sign")
    offset = timedelta(hours=int(found.get("hours") or 0), minutes=int(found.get("minutes") or 0))
    # In a zone such as GMT+2, only the offset is used.
    if not sign and name not in {None, "z", "gmt", "utc"}:
        from dateparser.timezone_parser import pop_tz_offset_from_string

        _, known = pop_tz_offset_from_string(f"0 {(name or '').upper()}")
        if known is None:
            raise ValueError(f"{name} is not a known time zone")
        return timezone(_INDIA if name == "ist" else known.utcoffset(None))
    return timezone(-offset if sign == "-" else offset)


_STARTS = [(_plain(start), month) for month, names in enumerate(MONTH_STARTS, 1) for start in names.split()]
