"""Formats numbers for a width of six characters."""

from datetime import UTC, datetime
from typing import Any

from zeke_jobs.core.wording import figure

_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k"))
_BAR = 8


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


def progress(said: dict[str, Any] | None) -> str:
    """A job's progress: a bar where the total is known, and its note."""
    if not said:
        return ""
    done, total, note = said.get("done"), said.get("total"), said.get("note") or ""
    if done is None:
        return str(note)
    if not total:
        return f"{figure(done)} {note}".strip()
    if not all(isinstance(one, float | int) and abs(one) < 2**63 for one in (done, total)):
        return f"{figure(done)}/{figure(total)} {note}".strip()
    full = round(_BAR * min(1.0, max(0.0, done / total)))
    return f"{'█' * full}{'░' * (_BAR - full)} {figure(done)}/{figure(total)} {note}".strip()
