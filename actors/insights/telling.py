"""The best sentences of a text without code, as highlights: each is understood with the headline alone, and adds a fact to it."""

from actors.ai import words
from actors.ai.composition import adds_to, has_parts, names_more
from actors.ai.ranking import Ranked, Topic, best, ranked, topic
from actors.ai.standing import speech
from actors.ai.subject import praises, stands_alone
from actors.insights.candidates import Candidate, Kind
from actors.patterns import patterns

_TEXT = patterns("actors.ai", "patterns.txt")
_SAYS = patterns("actors.insights", "cues.txt")

_MOST = 3
_LEAST = 0.35  # share of the best score
_MIN_WORDS = 8
_MAX_CHARS = 400
_ABOUT = 1.5  # weight for the topic
_BEGINNING = 3  # sentences
_LONG = 10  # sentences
_END = 0.85  # of a long text; what follows tells about its author or company
_SPEECH = 0.5  # a speech counts half, because it seldom tells what happened
_FIGURE = 1.5  # a figure is a fact


def telling(document: str, lead: float, title: str, told: str) -> list[Candidate]:
    """Up to three sentences of a document, best first; ``told`` is not among them.

    A list or a guide has one at most, with a figure, because its other sentences are general or tell a part.
    """
    items = ranked(document, lead)
    about = topic(title, document)
    is_guide = has_parts(title, document, [item.text for item in items])
    first = None if is_guide else next((item for item in items[:_BEGINNING] if item.is_statement), None)
    pool = [
        item
        for item in items
        if item.is_independent
        and (not about.is_clear or about.weight(item.text) >= _ABOUT)
        and (not is_guide or _kind(item.text) == "metric")
        and (len(items) < _LONG or item.end < _END * len(document))
        and item.text != told
        and _tells(item.text, title)
        and stands_alone(item.text, title, document, is_first=item is first)
    ]
    scores = {item.start: item.score * _bonus(item, about) for item in pool}
    chosen = best(pool, 1 if is_guide else _MOST, bonus=lambda item: _bonus(item, about))
    return [
        Candidate(_kind(item.text), item.text, item.raw, item.start, item.end, item.heading, weight=scores[item.start])
        for item in chosen
        if scores[item.start] >= _LEAST * max(scores.values())
    ]


def _tells(text: str, title: str) -> bool:
    """Whether a sentence of a readable length tells news: no background, no advert, no praise or feelings in a speech."""
    return (
        words.count(text) >= _MIN_WORDS
        and len(text) <= _MAX_CHARS
        and adds_to(title, text)
        and names_more(title, text)
        and not _TEXT["background"].match(text)
        and not _TEXT["no_news"].search(text)
        and not any(praises(one.group()[1:-1]) or _TEXT["opinion"].search(one.group()) for one in speech(text))
    )


def _kind(text: str) -> Kind:
    if speech(text):
        return "quote"
    has_figure = _SAYS["share"].search(text) or (_SAYS["quantity"].search(text) and _SAYS["measured"].search(text))
    return "metric" if has_figure else "insight"


def _bonus(item: Ranked, about: Topic) -> float:
    spoken = _SPEECH if speech(item.text) else 1.0
    return spoken * (1 + about.weight(item.text) / 4) * (_FIGURE if _SAYS["digit"].search(item.text) else 1.0)
