"""The most central sentences of a document, as candidates of the kind insight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.ai import words
from actors.ai.ranking import REASON, Ranked, best, ranked
from actors.insights import cues
from actors.insights.candidates import Candidate

if TYPE_CHECKING:
    from collections.abc import Collection

    from actors.insights.subject import Page

_REASON = 1.5
_JUDGED = 0.3
_LEAST = 0.5  # share of the best score; a sentence with less is not central
_LEAST_IN_CODE = 0.4  # the same in a text with code, whose sentences have less in common
_MIN_WORDS = 10
_MAX_CHARS = 400


def central_candidates(
    document: str, count: int, page: Page, taken: Collection[tuple[int, int]] = (), lead: float = 0.4
) -> list[Candidate]:
    """Up to ``count`` whole sentences that the page can show, best first, none of them at a place in ``taken``.

    A sentence that gives a reason or a lesson counts half as much again, one that judges up to 60 per cent more.
    """
    items = ranked(document, lead)
    least = (_LEAST_IN_CODE if page.has_code else _LEAST) * max((item.score for item in items), default=0.0)
    pool = [
        (item, candidate)
        for item in items
        if item.score >= least
        and item.is_independent
        and words.count(item.text) >= _MIN_WORDS
        and len(item.text) <= _MAX_CHARS
        and not any(start < item.end and item.start < end for start, end in taken)
        and page.can_show(candidate := _candidate(item))
    ]
    chosen = best([item for item, _ in pool], count, bonus=_bonus)
    return [candidate for item in chosen for each, candidate in pool if each is item]


def _candidate(item: Ranked) -> Candidate:
    weight = item.score * _bonus(item)
    return Candidate("insight", item.text, item.raw, item.start, item.end, item.heading, weight=weight)


def _bonus(item: Ranked) -> float:
    judging = min(2, cues.judging(item.text))
    return (_REASON if REASON.search(item.text) else 1.0) * (1 + _JUDGED * judging)
