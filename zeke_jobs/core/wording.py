"""Reads and writes durations (``500ms``, ``1h30m``, ``7d``), and formats times, durations and counts for people."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

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

#: This matches a duration, or an empty string.
PATTERN = r"(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?"
_PART = re.compile(r"(\d+)(ms|[wdhms])", re.ASCII)
_WHOLE = re.compile(PATTERN, re.ASCII)
_MOST_DIGITS = 12


def parse_duration(text: str) -> timedelta:
    """Read a duration like ``1h30m`` with the units ``w d h m s ms``, the largest first. Raises ValueError for other texts."""
    parts = _PART.findall(text)
    if not text or _WHOLE.fullmatch(text) is None or any(len(number) > _MOST_DIGITS for number, _ in parts):
        raise ValueError(f"expected a duration such as 30s, 5m or 1h30m, got {text[:40]!r}")
    total = sum((int(number) * UNITS[unit].total_seconds() for number, unit in parts), start=0.0)
    if total > LONGEST.total_seconds():
        raise ValueError(f"expected a duration of at most a hundred years, got {text!r}")
    return timedelta(seconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a duration so that ``parse_duration`` can read it. Fractions of a millisecond are dropped."""
    text, left = "", duration
    for unit in list(UNITS)[1:]:  # 14d is more common than 2w
        number, left = divmod(left, UNITS[unit])
        text += f"{number}{unit}" if number else ""
    return text or "0s"


#: Counting stops at this number.
MOST = 1_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_LONGEST = 300


def when(moment: datetime | None) -> str:
    """Return a time in UTC, to the second, or an empty string for None."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """Return a length of time in one or two units: ``40ms``, ``12s``, ``3m20s``, ``2h10m``, ``3d4h``."""
    seconds = abs(length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    unit = 1 if seconds < _HOUR else _MINUTE if seconds < _DAY else _HOUR
    return format_duration(timedelta(seconds=int(seconds) // unit * unit))


def took(seconds: float | None) -> str:
    """Return a measured duration: ``4ms``, ``1.4s``, ``3m20s``, or an empty string for None."""
    if seconds is None:
        return ""
    return f"{seconds:.1f}s" if 1 <= seconds < 10 else span(timedelta(seconds=seconds))


def passed(moment: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago a moment was, or an empty string for None. ``now`` is by default this machine's time."""
    return "" if moment is None else span(max(timedelta(0), (now or datetime.now(UTC)) - moment))


def since(moment: datetime, now: datetime) -> str:
    """Return a past moment and its age: ``since 2026-12-01 10:00:00 UTC (3m20s)``."""
    return f"since {when(moment)} ({span(now - moment)})"


def until(moment: datetime, now: datetime) -> str:
    """Return a future moment and the time left, or a note that the moment is past."""
    return f"until {when(moment)} ({'in ' + span(moment - now) if moment > now else 'now'})"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 job``, ``3 jobs``, ``2 retries``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def up_to_most(number: int, noun: str) -> str:
    """Return a number with its noun, like ``count``, or ``more than 1,000 jobs`` for a number above ``MOST``."""
    return count(number, noun) if number <= MOST else f"more than {MOST:,} {noun}s"


def listed(words: Iterable[str]) -> str:
    """Join words into a list: ``a``, ``a and b``, ``a, b and c``."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return a text on one line, cut to ``longest`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def progress(said: dict[str, Any] | None) -> str:
    """Return a handler's progress: ``3 of 10 pages``."""
    if not said:
        return ""
    done, total, note = said.get("done"), said.get("total"), said.get("note") or ""
    figures = "" if done is None else figure(done) + ("" if total is None else f" of {figure(total)}")
    return one_line(f"{figures} {note}")


def amount_text(amount: Decimal | float) -> str:
    """Return an amount with at most four decimals, because an average may have many more."""
    return f"{amount:,.4f}".rstrip("0").rstrip(".")


def figure(said: Any) -> str:
    """Return a number in readable form, and any other value unchanged."""
    return f"{said:g}" if isinstance(said, float | int) and abs(said) < 2**63 else str(said)


def place(host: str | None, pid: int | None) -> str:
    """Return the host and the process id of a process."""
    return f"{host}:{pid}" if host else "a worker that is gone"
