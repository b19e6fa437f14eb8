"""The most central sentences of a document, as candidates of the kinds figure, quotation and insight."""

import re

from actors.ai import words
from actors.ai.composition import adds_to, has_parts, names_more
from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import keys
from actors.ai.one_line import DATELINE
from actors.ai.ranking import Ranked, best, ranked
from actors.ai.standing import is_personal, speech
from actors.ai.subject import stands_alone
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")
_LEAST, _LEAST_FIGURE = 0.3, 0.2  # share of the best score; a sentence with less is not central
_MOST = 2
_PERSONAL = 0.2  # share of sentences that say I, we or you
_SHARED = 2  # words of the headline
_MIN_WORDS = 10
_MAX_CHARS = 320
_NUMBER = re.compile(
    r"(?:([^\W\d]\w*) )?(?<![\w.])(?:(?:[$\u20ac\u00a3]|USD |EUR )\d[\d.,]*"
    r"|\d[\d.,]*(?=\s?(?:%|\u20ac|[Pp]ro[cz]ent|per ?cent|por ciento|pour cent|[Mm]il+i|billion|[Mm]io|[Mm]rd|mld))"
    r"|\d{1,3}(?:[.,]\d{3})+(?![\d.,]*\d)|\d{3,}(?![\d.,]*\d))(?!\w| [^\W\d_a-z])"
)
_FIGURE = 1.5  # weight of a sentence with a figure


def central_candidates(document: str, lead: float, title: str) -> list[Candidate]:
    """Up to two whole sentences, best first.

    Each stands alone, adds a name or a number to the headline and shares two of its words, if it has enough. In a list, a guide,
    an advert or a personal text it has a figure. Speech has the full name of its speaker.
    """
    items = ranked(document, lead)
    most = max((item.score for item in items), default=0.0)
    headline = keys(title)
    shared = min(_SHARED, len(headline) // 2)
    pool = [
        item
        for item in items
        if len(item.text) <= _MAX_CHARS
        and item.is_statement
        and words.count(item.text) >= _MIN_WORDS
        and item.score >= most * (_LEAST_FIGURE if _has_figure(item.text) else _LEAST)
        and len(headline & keys(item.text)) >= (shared if not _has_figure(item.text) else min(1, shared))
        and adds_to(title, item.text)
        and names_more(title, item.text)
        and not DATELINE.match(item.text)
        and stands_alone(item.text, title, document)
        and (not speech(item.text) or _SAYS["full_name"].search(_SAYS["quotation"].sub(" ", item.text)))
    ]
    told = [item.text for item in items]
    if (
        pool
        and "\n```" not in document
        and (has_parts(title, document, told) or sum(map(is_personal, told)) > _PERSONAL * len(told))
    ):
        pool = [item for item in pool if _has_figure(item.text)]
    return [
        Candidate(_kind(item.text), item.text, item.raw, item.start, item.end, item.heading, weight=_weight(item))
        for item in best(pool, _MOST, bonus=_bonus)
    ]


def _kind(text: str) -> Kind:
    return "quote" if speech(text) else "metric" if _has_figure(text) else "insight"


def _has_figure(text: str) -> bool:
    """Whether a sentence has a share, an amount of money or a large number, which is no date and no part of a name."""
    return any(
        not one[1] or not one[1][0].isupper() or "%" in one.string[one.end() : one.end() + 2]
        for one in _NUMBER.finditer(dates(text).rest)
    )


def _bonus(item: Ranked) -> float:
    return _FIGURE if _has_figure(item.text) else 1.0


def _weight(item: Ranked) -> float:
    return item.score * _bonus(item)
