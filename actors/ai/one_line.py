"""One line of a story: the sentence that tells most of the whole, cut where it is too long."""

import re
from collections.abc import Iterable

from actors.ai.composition import ONE_LINER, adds_to, shorten
from actors.ai.gate import form
from actors.ai.gate.evidence import keys
from actors.ai.patterns import patterns
from actors.ai.ranking import Topic
from actors.ai.standing import is_told_to_reader, is_unfinished, leans, says_i, speaks_of_us, speech
from actors.ai.words import SMALL, count

_SAYS = patterns("actors.ai", "patterns.txt")

_LEAST = 0.17  # value from which on a sentence tells enough of the whole
_HALF = 4.0  # weight with which a sentence tells half of the whole
_OTHER = 0.25  # weight of a word that is not the topic's
_VAGUE = 0.75  # the worth of a sentence without a name or a number
_SPECIFIC = re.compile(r"\d|(?<=[\w,;] )[^\W\d_a-z]")
_TELLING_WORDS = 9  # shorter sentences often only introduce another
_WEAK = 1.5  # by which each weakness divides a worth
_CUT = 0.85  # the worth of a beginning
_FIRST_WORDS = 5  # of a sentence, among which is its subject
_NEAR = 3  # words after "this" among which its noun stands
_LEAST_CUT = 60  # characters
_LEAST_REST = 4  # words; a clause of which fewer are left tells nothing
_DATELINE = re.compile(  # as in "ORRIN, Velm (ABC) — "
    r"[^\W\d_a-z][\w.'\u2019]*(?:,?\s+[^\W\d_a-z][\w.'\u2019]*){0,3}\s?(?:\([^()]{2,30}\)\s?)?(?:[\u2014\u2013]|--|-|\.-)\s+(?=\w)"
)
_LONGEST_DATELINE = 80  # characters
_CLAUSE = re.compile(r",? [\u2014\u2013-] |[,;] ")
_NAME = re.compile(r" [^\W\d_a-z]")


def one_line(title: str, topic: Topic, placed: Iterable[tuple[str, float]]) -> str | None:
    """The sentence of the highest value, or as much of it as fits; None if none tells enough of the whole.

    ``placed`` has sentences, each with the worth of its place. The value grows with the words that are shown, most with those of
    the headline. No sentence is taken that needs another one, is speech, or adds nothing to the headline.
    """
    best, line = _LEAST, None
    for text, place in placed:
        if place <= best:
            continue
        dateline = _DATELINE.match(text, 0, _LONGEST_DATELINE)
        told = text[dateline.end() :] if dateline else text
        if is_unfinished(told) or speech(told) or _needs_another(told, topic):
            continue
        head, share = (told, 1.0) if len(told) <= ONE_LINER else _cut(told, topic)
        value = place * share * _told(head, topic) / _WEAK ** _weaknesses(told)
        if value > best and adds_to(title, head):
            best, line = value, head
    return line


def _told(text: str, topic: Topic) -> float:
    """The part of the whole that a text tells, from 0 to 1; half of it beside the headline, less without a name or a number."""
    weight = topic.weight(text) + _OTHER * len(keys(text) - topic.headline - topic.shared)
    share = weight / (weight + _HALF) / (2 if _is_beside(text, topic) else 1)
    return share if _SPECIFIC.search(text) else share * _VAGUE


def _is_beside(text: str, topic: Topic) -> bool:
    """Whether a text shares no word with the headline."""
    return bool(topic.headline) and not topic.headline & keys(text)


def _needs_another(text: str, topic: Topic) -> bool:
    """Whether a sentence refers to the one before it; in "This dam …" the headline may name the dam."""
    pointing = _SAYS["this"].match(text)
    if pointing and not _is_beside(" ".join(text[pointing.end() :].split()[:_NEAR]), topic):
        text = text[pointing.end() :]
    return leans(text)


def _weaknesses(text: str) -> int:
    """The number of weaknesses: it is short, background, a cry, or speaks to the reader or of its author."""
    is_addressed = is_told_to_reader(text) or speaks_of_us(text) or says_i(text)
    is_background, is_cry = _SAYS["background"].match(text), _SAYS["no_news"].search(text)
    return (count(text) < _TELLING_WORDS) + bool(is_background) + bool(is_cry) + is_addressed


def _cut(text: str, topic: Topic) -> tuple[str, float]:
    """The beginning of a sentence within 140 characters, with an ellipsis, and its share of the worth.

    The share is half if its first words do not name what the headline names, because they often only introduce the statement, and
    0 if the rest tells who says it.
    """
    head = _words(text)
    clauses = [end.start() for end in _CLAUSE.finditer(head, _LEAST_CUT)]
    if clauses and count(head[clauses[-1] :].lstrip(" ,;-\u2013\u2014")) < _LEAST_REST:
        head = head[: clauses[-1]]
    loses_speaker = _SAYS["attributed"].search(text, len(head)) and not _SAYS["attributed"].search(head)
    if loses_speaker or not form.is_balanced(head):
        return head, 0
    first = text.split()[:_FIRST_WORDS]
    is_introduced = first[0].lower() in SMALL and not _SAYS["named"].match(text)
    is_named = not _is_beside(" ".join(first), topic) or _SAYS["full_name"].match(text)
    return f"{head}\u2026", _CUT if is_named and not is_introduced else _CUT / 2


def _words(text: str) -> str:
    """The words that fit, up to one that carries a fact, and no part of a name."""
    head = shorten(text, ONE_LINER)[:-1]
    while head:
        rest, _, last = head.rpartition(" ")
        is_inside_name = last[:1].isupper() and _NAME.match(text, len(head))
        if not (last.lower() in SMALL or last[:1].isdigit() or is_inside_name):
            break
        head = rest.rstrip(",;:")
    return head
