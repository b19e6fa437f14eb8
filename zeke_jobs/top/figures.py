"""Formats numbers for a width of six characters."""

from datetime import UTC, datetime

_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k"))


def number(value: float | None) -> str:
    """``7``, ``1,234``, ``56.7k``, ``1.2M``; empty for None."""
    if not value:
        return ""
    for least, unit in _UNITS:
        if value >= least:
            return f"{value / min(least, {'k': 1_000}.get(unit, least)):.1f}{unit}"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def clock(moment: datetime | None) -> str:
    """A time of day, in UTC."""
    return "" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"


def day_and_clock(moment: datetime | None, now: datetime) -> str:
    """A time of day, with the date unless it is today; in UTC."""
    if moment is None:
        return ""
    form = "%H:%M:%S" if moment.astimezone(UTC).date() == now.astimezone(UTC).date() else "%m-%d %H:%M"
    return f"{moment.astimezone(UTC):{form}}"
