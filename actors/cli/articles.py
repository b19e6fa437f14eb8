"""What became of a source's articles, in words: how many are stories, failed or wait, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    Row = Mapping[str, Any]


def fails(row: Row) -> bool:
    """Whether at least half of a source's articles, of those that were tried, failed or wait after a failure."""
    lost, waiting = _lost(row), _of(row, Outcome.RETRYING)
    good = sum(count for outcome, count in _told(row) if outcome.status == "completed")
    return sum(lost.values()) + waiting >= max(1, good)


def words(row: Row) -> str:
    """Such as ``12; 3 forbidden, 2 wait``; the first number counts stories."""
    good = sum(count for outcome, count in _told(row) if outcome.status == "completed")
    waiting = _of(row, Outcome.QUEUED) + _of(row, Outcome.RETRYING)
    parts = [f"{count} {outcome.value}" for outcome, count in _lost(row).items()]
    parts += [f"{waiting} wait" if waiting > 1 else "1 waits"] if waiting else []
    return f"{good}; {', '.join(parts)}" if parts else str(good) if good else ""


def reasons(row: Row) -> list[str]:
    """A line for each outcome of articles that failed, or wait after a failure, with the latest reason."""
    waiting = _of(row, Outcome.RETRYING)
    lost = _lost(row) | ({Outcome.RETRYING: waiting} if waiting else {})
    details = row["article_details"]
    return [f"{count} {outcome.value}: {details.get(outcome) or 'no reason given'}" for outcome, count in lost.items()]


def _told(row: Row) -> list[tuple[Outcome, int]]:
    return [(Outcome(name), count) for name, count in row["articles"].items()]


def _of(row: Row, outcome: Outcome) -> int:
    return int(row["articles"].get(outcome.value, 0))


def _lost(row: Row) -> dict[Outcome, int]:
    """The articles that became no story, most first."""
    lost = {outcome: count for outcome, count in _told(row) if outcome.status in {"failed", "skipped"}}
    lost.pop(Outcome.BACKLOG, None)
    return dict(sorted(lost.items(), key=lambda one: -one[1]))
