"""What became of a source's articles, in words: how many are stories, failed or wait, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.outcomes import Outcome

Row = Mapping[str, Any]


def fails(row: Row) -> bool:
    """Whether at least half of a source's articles, of those that were tried, failed or wait after a failure."""
    good, lost = _counts(row)
    return sum(lost.values()) >= max(1, good)


def words(row: Row) -> str:
    """Such as ``12; 3 forbidden, 2 wait``; the first number counts stories."""
    good, lost = _counts(row)
    dropped = row["articles"].get(Outcome.FILTERED, 0)
    waiting = lost.pop(Outcome.RETRYING, 0) + row["articles"].get(Outcome.QUEUED, 0)
    parts = [f"{dropped} of {sum(row['articles'].values())} dropped"] if dropped else []
    parts += [f"{count} {outcome.value}" for outcome, count in lost.items()]
    parts += [f"{waiting} wait" if waiting > 1 else "1 waits"] if waiting else []
    return f"{good}; {', '.join(parts)}" if parts else str(good or "")


def reasons(row: Row) -> list[str]:
    """A line for each outcome of articles that failed, or wait after a failure, with the latest reason."""
    details = row["article_details"]
    return [f"{count} {one.value}: {details.get(one) or 'no reason given'}" for one, count in _counts(row)[1].items()]


def _counts(row: Row) -> tuple[int, dict[Outcome, int]]:
    """The number of stories; and of articles that became none or wait after a failure, by outcome, most first."""
    told = {Outcome(name): count for name, count in row["articles"].items()}
    good = sum(count for outcome, count in told.items() if outcome.status == "completed")
    kept = {one for one in Outcome if one.status == "completed"}
    is_lost = {*Outcome} - kept - {Outcome.QUEUED, Outcome.BACKLOG, Outcome.FILTERED}
    return good, {one: told[one] for one in sorted(told, key=lambda one: -told[one]) if one in is_lost}
