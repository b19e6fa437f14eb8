"""One line of a story: the sentence that tells most of the whole, cut where it is too long."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from actors.ai.composition import ONE_LINER, adds_to, shorten
from actors.ai.gate import form
from actors.ai.gate.evidence import keys, tokens
from actors.ai.patterns import patterns
from actors.ai.standing import is_told_to_reader, is_unfinished, leans, says_i, speaks_of_us, speech
from actors.ai.words import SMALL, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.ai.ranking import Topic

_SAYS = patterns("actors.ai", "patterns.txt")

_LEAST = 0.19  # value from which on a sentence tells enough of the whole
_FEW = 2  # a headline with fewer words need not share one
_VAGUE = 0.75  # the worth of a sentence without a name or a number
_SPECIFIC = re.compile(r"\d|(?<=[\w,;] )[^\W\d_a-z]")
_HALF = 4.0  # weight for the topic with which a sentence tells half of the whole
_NEAR = 3  # words after "this" among which its noun stands
_TELLING_WORDS = 10  # shorter sentences only introduce another
_FIRST_WORDS = 5  # of a beginning, among which is its subject
_LEAST_CUT = 60  # characters
_LEAST_REST = 4  # words; fewer often name who says it
_CLAUSE_WORTH, _WORDS_WORTH = 0.9, 0.8
_DATELINE = re.compile(  # as in "ORRIN, Velm (ABC) — "
    r"[^\W\d_a-z][\w.'\u2019]*(?:,?\s+[^\W\d_a-z][\w.'\u2019]*){0,3}\s?(?:\([^()]{2,30}\)\s?)?(?:[\u2014\u2013]|--|-|\.-)\s+(?=\w)"
)
_LONGEST_DATELINE = 80  # characters
_CLAUSE = re.compile(r",? [\u2014\u2013-] |[,;] ")
_DASH = re.compile(r" [\u2014\u2013-] ")
_NAME = re.compile(r" [^\W\d_a-z]")
_OPENING = re.compile(r"\w+(?:ing|ed)\b")


def one_line(title: str, topic: Topic, placed: Iterable[tuple[str, float]]) -> str | None:
    """The sentence of the highest value, or as much of it as fits; None if none tells enough of the whole.

    ``placed`` has sentences, each with the worth of its place. The value grows with the topic's words that are shown. Each
    weakness halves it. No sentence is taken that needs another one, is speech, or adds nothing to the headline.
    """
    best, line = _LEAST, None
    for text, place in placed:
        if place <= best:
            continue
        dateline = _DATELINE.match(text, 0, _LONGEST_DATELINE)
        told = text[dateline.end() :] if dateline else text
        if is_unfinished(told) or speech(told) or _needs_another(told, topic):
            continue
        worth = place / 2 ** _weaknesses(told)
        for head, share in _heads(told, topic):
            value = worth * share * _told(head, topic)
            if value > best and adds_to(title, head):
                best, line = value, head
    return line


def _told(text: str, topic: Topic) -> float:
    """The part of the whole that a text tells, from 0 to 1; half of it beside the headline, less without a name or a number."""
    weight = topic.weight(text) + len(keys(text) - topic.headline - topic.shared) / 4
    share = weight / (weight + _HALF) / (2 if _is_beside(text, topic) else 1)
    return share if _SPECIFIC.search(text) else share * _VAGUE


def _is_beside(text: str, topic: Topic) -> bool:
    """Whether a text shares no word with a headline of several."""
    return len(topic.headline) >= _FEW and not topic.headline & keys(text)


def _needs_another(text: str, topic: Topic) -> bool:
    """Whether a sentence refers to the one before it; in "This dam …" the headline may name the dam."""
    pointing = _SAYS["this"].match(text)
    if pointing and topic.headline & keys(" ".join(text[pointing.end() :].split()[:_NEAR])):
        text = text[pointing.end() :]
    return leans(text)


def _weaknesses(text: str) -> int:
    return (
        (count(text) < _TELLING_WORDS)
        + bool(_SAYS["background"].match(text))
        + bool(_SAYS["no_news"].search(text))
        + (is_told_to_reader(text) or speaks_of_us(text) or says_i(text))
    )


def _heads(text: str, topic: Topic) -> Iterator[tuple[str, float]]:
    """A sentence within 140 characters: whole, or its beginnings with an ellipsis, each with the share of its worth.

    A beginning ends with a clause, or else with a word, and leaves no insertion open between commas or dashes. It tells something
    if its first words name what the headline names; others often only introduce the statement.
    """
    if len(text) <= ONE_LINER:
        yield text, 1.0
        return
    first = " ".join(text.split()[:_FIRST_WORDS])
    is_introduced = (tokens(text)[0].lower() in SMALL and not _SAYS["named"].match(text)) or _OPENING.match(text)
    begins = (not _is_beside(first, topic) or _SAYS["full_name"].match(text)) and not is_introduced
    ends = [end for end in _CLAUSE.finditer(text, _LEAST_CUT, ONE_LINER) if count(text[end.end() :]) >= _LEAST_REST]
    cuts = [(text[: end.start()], _CLAUSE_WORTH) for end in ends]
    for head, worth in (*cuts, (_words(text), _WORDS_WORTH)):
        loses_speaker = _SAYS["attributed"].search(text, len(head)) and not _SAYS["attributed"].search(head)
        if not loses_speaker and form.is_balanced(head) and head.rpartition(" ")[2].lower() not in SMALL:
            is_open = head.count(",") % 2 or len(_DASH.findall(head)) % 2
            yield f"{head}\u2026", worth * math.sqrt(len(head) / len(text)) / (1 if begins else 2) / (1.5 if is_open else 1)


def _words(text: str) -> str:
    """The words that fit, up to one that carries a fact, and no part of a name."""
    head = shorten(text, ONE_LINER)[:-1]
    while head:
        rest, _, last = head.rpartition(" ")
        if last.lower() not in SMALL and not last[:1].isdigit() and not (last[:1].isupper() and _NAME.match(text, len(head))):
            break
        head = rest.rstrip(",;:")
    return head
