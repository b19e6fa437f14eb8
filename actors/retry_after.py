"""Reads the header Retry-After of sites, Engines and providers."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 86_400.0
"""Seconds. A server that asks for more is asked again after a day."""

AWAY = 60.0
"""Seconds for which a site, an Engine or a provider that cannot be reached, and names no time, is left alone."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LONGEST_VALUE = 100  # characters; a date has 29


def retry_after(value: str, now: datetime | None = None, *, unit: float = 1.0) -> float | None:
    """The seconds of a Retry-After header, from 0 to ``LONGEST_WAIT``; None if it is unreadable.

    The value is a number of ``unit`` seconds or a date.
    """
    value = value.strip()
    if len(value) <= _LONGEST_VALUE and _NUMBER.fullmatch(value):
        return bounded(float(value) * unit)
    until = http_date(value)
    return bounded((until - (now or datetime.now(UTC))).total_seconds()) if until else None


def http_date(value: str) -> datetime | None:
    """The moment of a header such as Expires, in UTC if it names no zone; None if it is unreadable."""
    if len(value) > _LONGEST_VALUE:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):  # the standard library's parser raises all of them
        return None


def bounded(seconds: float) -> float:
    """A wait in seconds, from 0 to ``LONGEST_WAIT``."""
    return float(min(max(seconds, 0.0), LONGEST_WAIT))
