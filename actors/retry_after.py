"""Reads the header Retry-After from sites, Engines and AI providers."""

import re
from datetime import UTC, datetime

LONGEST_WAIT = 86_400.0  # a day in seconds, even if a server asks for more
AWAY = 60.0  # seconds until the next request to an unreachable server that names no time
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LONGEST_VALUE = 100  # characters; a date has 29


def retry_after(value: str, now: datetime | None = None, *, unit: float = 1.0) -> float | None:
    """Return the seconds to wait, or None if ``value`` is no date and no number. A number is multiplied by ``unit``."""
    value = value.strip()
    if len(value) <= _LONGEST_VALUE and _NUMBER.fullmatch(value):
        return bounded(float(value) * unit)
    from actors.engine.dates import read_date  # an import at the top would load the Engine's settings

    until = read_date(value)
    return bounded((until - (now or datetime.now(UTC))).total_seconds()) if until else None


def bounded(seconds: float) -> float:
    """Return ``seconds``, limited to the range from 0 to ``LONGEST_WAIT``."""
    return float(min(max(seconds, 0.0), LONGEST_WAIT))
