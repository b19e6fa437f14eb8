"""Reads the dates in feeds and pages, in many languages, with time zones as numbers or names."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

from actors.calendar_names import MONTH_STARTS
from actors.patterns import patterns

_NOON = 12
_INDIA = timedelta(hours=5, minutes=30)  # IST means India more often than Israel

_FORMS = [form for name, form in patterns("actors.engine", "dates.txt").items() if name.startswith("form_")]


def read_date(text: str) -> datetime | None:
    """Parse a text that contains only a date, and return the time in UTC. A date without a zone counts as UTC.

    The result is None if the text is not a date, is ambiguous (such as 3/4/2020), or names an unknown time zone.
    """
    text = _plain(text)
    found = (match.groupdict() for form in _FORMS if (match := form.fullmatch(text)) is not None)
    return next((moment for one in found if (moment := _moment(one)) is not None), None)


def _plain(text: str) -> str:
    """Return the text in lower case, without accents, with single spaces."""
    letters = unicodedata.normalize("NFKD", text[:120].casefold())
    bare = "".join(one for one in letters if not unicodedata.combining(one))
    return unicodedata.normalize("NFC", " ".join(bare.split()))


def _moment(found: dict[str, str | None]) -> datetime | None:
    try:
        year = int(found["year"] or "")
        if len(found["year"] or "") == 2:  # RFC 2822, section 4.3
            year += 2000 if year < 50 else 1900
        if found.get("one"):
            month, day = sorted((int(found["one"] or ""), int(found["other"] or "")))
            if day <= _NOON and day != month:
                return None  # the day and the month cannot be distinguished
        else:
            number, word = found.get("number"), found.get("month") or ""
            # If the word begins with several known prefixes of month names, the longest prefix decides.
            starts = ((len(start), month) for start, month in _STARTS if word.startswith(start))
            day, month = int(found["day"] or ""), int(number) if number else max(starts)[1]
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
