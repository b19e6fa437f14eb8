"""Durations in text: ``500ms``, ``30s``, ``5m``, ``1h30m``, ``7d``."""

import re
from datetime import timedelta

from zeke_jobs.core.bounds import LONGEST

UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
"""The length of each unit, the largest first."""

#: A duration, or nothing.
PATTERN = r"(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?"
_PART = re.compile(r"(\d+)(ms|[wdhms])", re.ASCII)
_WHOLE = re.compile(PATTERN, re.ASCII)
_MOST_DIGITS = 12


def parse_duration(text: str) -> timedelta:
    """Read a duration: whole numbers with a unit (``w d h m s ms``), the largest first, each at most once.

    Raises ValueError if it is not a duration; the message names the accepted form.
    """
    parts = _PART.findall(text)
    if not text or _WHOLE.fullmatch(text) is None or any(len(number) > _MOST_DIGITS for number, _ in parts):
        raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {text[:40]!r}")
    total = sum((int(number) * UNITS[unit].total_seconds() for number, unit in parts), start=0.0)
    if total > LONGEST.total_seconds():
        raise ValueError(f"expected a duration of at most a hundred years, got {text!r}")
    return timedelta(seconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a duration so that ``parse_duration`` can read it; fractions of a millisecond are dropped."""
    left = duration
    words = []
    for unit, worth in UNITS.items():
        if unit == "w":  # 14d is more common than 2w
            continue
        count, left = divmod(left, worth)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
