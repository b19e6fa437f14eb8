"""Chooses the best sentences of a text as candidates; in a text without code, each adds a fact and needs only the headline."""

from collections import defaultdict
from collections.abc import Collection

from actors.ai import words
from actors.ai.composition import adds_to, announces, has_parts, names_more, tells_more
from actors.ai.gate.evidence import keys
from actors.ai.ranking import Ranked, best, ranked
from actors.ai.standing import is_told_to_reader, speech
from actors.ai.subject import praises, stands_alone
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_TEXT = patterns("actors.ai", "patterns.txt")
_SAYS = patterns("actors.insights", "cues.txt")

_MOST = 3
_LEAST = 0.35  # a sentence must have this share of the best score
_MIN_WORDS = 10
_MAX_CHARS = 400
_ABOUT = 1.5  # number of the topic's keys that a sentence must have; keys of the headline count 1, other keys 0.5
_SHARED = 12  # number of a topic's other keys; if fewer occur more than once, the topic is not clear
_BEGINNING = 3  # number of first sentences in which the opening statement is searched
_LONG = 10  # a text with this number of sentences is long
_END = 0.85  # after this share of a long text comes text about the author or the company
_SPEECH = 0.5  # the score of a quotation is multiplied by this, because it seldom says what happened


def telling(document: str, lead: float, title: str, told: str) -> list[Candidate]:
    """Up to three sentences of a document, best first, without the sentence ``told``.

    A list or a guide gives at most one sentence, with a figure, because its other sentences are general or cover only a part.
    """
    items = ranked(document, lead)
    headline, shared = _topic(title, document)
    is_guide = has_parts(title, document, [item.text for item in items])
    first = None if is_guide else next((item for item in items[:_BEGINNING] if item.is_statement), None)
    pool = [
        item
        for item in items
        if (len(items) < _LONG or item.end < _END * len(document))
        and len(item.text) <= _MAX_CHARS
        and item.text != told
        and (not shared or len(headline & (said := keys(item.text))) + len(shared & said) / 2 >= _ABOUT)
        and item.is_independent
        and (not is_guide or _kind(item.text) == "metric")
        and _tells(item.text, title)
        and stands_alone(item.text, title, document, is_first=item is first)
    ]
    scores = {item.start: item.score * _bonus(item) for item in pool}
    chosen = best(pool, 1 if is_guide else _MOST, bonus=_bonus)
    return [
        _candidate(item, _kind(item.text), scores[item.start])
        for item in chosen
        if scores[item.start] >= _LEAST * max(scores.values())
    ]


def _topic(title: str, document: str) -> tuple[frozenset[str], frozenset[str]]:
    """The keys of a headline, and the most important keys that its text has more than once; none if the topic is not clear."""
    headline = keys(title)
    weights: dict[str, float] = defaultdict(float)
    times: dict[str, int] = defaultdict(int)
    for item in ranked(document):
        for key in keys(item.text) - headline:
            weights[key] += item.score
            times[key] += not key.isdigit()
    shared = [key for key in sorted(weights, key=weights.__getitem__, reverse=True) if times[key] > 1]
    return headline, frozenset(shared[:_SHARED] if headline and len(shared) >= _SHARED else ())


def telling_beside_code(
    document: str, count: int, lead: float, title: str, taken: Collection[tuple[int, int]]
) -> list[Candidate]:
    """Up to ``count`` sentences of a text with code, best first, none of them at a place in ``taken``.

    The author may say "we", because the author reports their own work. A list or a guide gives no sentences: they are general
    or cover only a part.
    """
    items = ranked(document, lead)
    least = _LEAST * max((item.score for item in items), default=0.0)
    pool = [
        item
        for item in items
        if item.score >= least
        and len(item.text) <= _MAX_CHARS
        and words.count(item.text) >= _MIN_WORDS
        and item.is_independent
        and not is_told_to_reader(item.text)
        and tells_more(title, item.text)
        and not any(start < item.end and item.start < end for start, end in taken)
    ]
    return [] if announces(title) else [_candidate(item, "insight", item.score) for item in best(pool, count)]


def _candidate(item: Ranked, kind: Kind, weight: float) -> Candidate:
    return Candidate(kind, item.text, item.raw, item.start, item.end, item.heading, weight=weight)


def _tells(text: str, title: str) -> bool:
    """Whether a sentence is news: not background, not an advert, not praise or feelings in a quotation."""
    return (
        adds_to(title, text)
        and names_more(title, text)
        and not _TEXT["background"].match(text)
        and not any(praises(one.group()[1:-1]) or _TEXT["opinion"].search(one.group()) for one in speech(text))
    )


def _kind(text: str) -> Kind:
    if speech(text):
        return "quote"
    has_figure = _SAYS["share"].search(text) or (_SAYS["quantity"].search(text) and _SAYS["measured"].search(text))
    return "metric" if has_figure else "insight"


def _bonus(item: Ranked) -> float:
    return _SPEECH if speech(item.text) else 1.0
