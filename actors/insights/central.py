"""The most central sentences of a text with code, as candidates of the kind insight."""

from collections.abc import Collection

from actors.ai import words
from actors.ai.composition import adds_to, announces
from actors.ai.gate.evidence import keys
from actors.ai.ranking import Ranked, best, ranked
from actors.ai.standing import is_told_to_reader
from actors.insights.candidates import Candidate
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")
_LESSON = patterns("actors.ai", "patterns.txt")["lesson"]
_REASON = 1.5
_JUDGED = 0.3
_LEAST = 0.4  # share of the best score; a sentence with less is not central
_MIN_WORDS = 10
_FEW = 3  # a headline with fewer words need not share one
_MAX_CHARS = 400


def central_candidates(
    document: str, count: int, taken: Collection[tuple[int, int]], lead: float, title: str
) -> list[Candidate]:
    """Up to ``count`` whole sentences of a text with code, best first, none of them at a place in ``taken``.

    Each sentence adds to the headline, and shares a word with it if it has enough; its author may say "we", who report their own
    work. A headline that announces a list or a guide has none, because its sentences are general or tell a part. A sentence with
    a reason or a lesson counts half as much again, and one with judging words up to 60 per cent more.
    """
    if announces(title):
        return []
    headline = keys(title)
    items = ranked(document, lead)
    least = _LEAST * max((item.score for item in items), default=0.0)
    pool = [
        item
        for item in items
        if item.is_independent
        and item.score >= least
        and not is_told_to_reader(item.text)
        and adds_to(title, item.text)
        and (len(headline) < _FEW or headline & keys(item.text))
        and words.count(item.text) >= _MIN_WORDS
        and len(item.text) <= _MAX_CHARS
        and not any(start < item.end and item.start < end for start, end in taken)
    ]
    return [
        Candidate(
            "insight",
            item.text,
            item.raw,
            item.start,
            item.end,
            item.heading,
            weight=item.score * _bonus(item),
        )
        for item in best(pool, count, bonus=_bonus)
    ]


def _bonus(item: Ranked) -> float:
    judging = min(2, len(_SAYS["judging"].findall(item.text)))
    return (_REASON if _LESSON.search(item.text) else 1.0) * (1 + _JUDGED * judging)
