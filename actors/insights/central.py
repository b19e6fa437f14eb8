"""The most central sentences of a document, as candidates of the kind insight."""

from collections.abc import Collection, Sequence

from actors.ai import words
from actors.ai.composition import adds_to, announces, names_more
from actors.ai.gate.evidence import keys
from actors.ai.ranking import Ranked, best, ranked, topic
from actors.ai.standing import addresses_reader, is_told_to_reader, speaks_of_us
from actors.ai.subject import praises
from actors.insights.candidates import Candidate
from actors.patterns import patterns

_SAYS = patterns("actors.insights", "cues.txt")
_LESSON = patterns("actors.ai", "patterns.txt")["lesson"]
_REASON = 1.5
_JUDGED = 0.3
_LEAST = 0.5  # share of the best score; a sentence with less is not central
_LEAST_IN_CODE = 0.4  # the same in a text with code, whose sentences have less in common
_MIN_WORDS = 10
_ABOUT = 1.5  # weight for the topic of a sentence that is told where no other one is central
_FEW = 3  # a headline with fewer words need not share one
_MAX_CHARS = 400


def central_candidates(
    document: str, count: int, taken: Collection[tuple[int, int]], lead: float, title: str
) -> list[Candidate]:
    """Up to ``count`` whole sentences, best first, none of them at a place in ``taken``.

    Each sentence adds to the headline, and shares a word with it if it has enough. If that announces a list or a guide, each
    names something that the headline lacks, because it is general otherwise. None praises, unless the text has code. A sentence
    with a reason or a lesson counts half as much again, and one with judging words up to 60 per cent more. If none is nearly as
    central as the best sentence of all, and nothing is taken, the sentences about the topic are compared with each other, unless
    the headline announces a list or a guide.
    """
    headline = keys(title)
    has_code = "\n```" in document  # authors of texts with code may say "we": they report their own work
    items = ranked(document, lead)
    pool = [
        item
        for item in items
        if item.is_independent
        and not is_told_to_reader(item.text)
        and (has_code or not (speaks_of_us(item.text) or addresses_reader(item.text) or praises(item.text)))
        and adds_to(title, item.text)
        and (not announces(title) or names_more(title, item.text))
        and words.count(item.text) >= _MIN_WORDS
        and len(item.text) <= _MAX_CHARS
        and not any(start < item.end and item.start < end for start, end in taken)
    ]
    share = _LEAST_IN_CODE if has_code else _LEAST
    named = [item for item in pool if len(headline) < _FEW or headline & keys(item.text)]
    central = _above(share, named, items)
    # Nothing is shown yet: compare with the topic instead, because a text may inflect the words of its headline.
    if not (central or taken or announces(title)):
        about = [item for item in pool if topic(title, document).weight(item.text) >= _ABOUT]
        central = _above(share, about, about)
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
        for item in best(central, count, bonus=_bonus)
    ]


def _above(share: float, pool: Sequence[Ranked], items: Sequence[Ranked]) -> list[Ranked]:
    """Those of ``pool`` with at least this share of the best score of ``items``."""
    least = share * max((item.score for item in items), default=0.0)
    return [item for item in pool if item.score >= least]


def _bonus(item: Ranked) -> float:
    judging = min(2, len(_SAYS["judging"].findall(item.text)))
    return (_REASON if _LESSON.search(item.text) else 1.0) * (1 + _JUDGED * judging)
