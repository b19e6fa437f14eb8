"""Reads the header Retry-After of sites, Engines and providers."""

import re
from datetime import UTC, datetime

LONGEST_WAIT = 86_400.0  # seconds; a server that asks for more is asked again after a day
AWAY = 60.0  # seconds: one that cannot be reached, and names no time, is left alone so long
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LONGEST_VALUE = 100  # characters; a date has 29


def retry_after(value: str, now: datetime | None = None, *, unit: float = 1.0) -> float | None:
    """The seconds of a Retry-After header, from 0 to ``LONGEST_WAIT``; None if it is unreadable.

    The value is a number of ``unit`` seconds or a date.
    """
    value = value.strip()
    if len(value) <= _LONGEST_VALUE and _NUMBER.fullmatch(value):
        return bounded(float(value) * unit)
    from actors.engine.dates import read_date  # which loads the Engine's settings

    until = read_date(value)
    return bounded((until - (now or datetime.now(UTC))).total_seconds()) if until else None


def bounded(seconds: float) -> float:
    """A wait in seconds, from 0 to ``LONGEST_WAIT``."""
    return float(min(max(seconds, 0.0), LONGEST_WAIT))
