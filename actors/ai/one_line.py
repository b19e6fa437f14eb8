"""One line of a story: a sentence from its beginning or from its page's description, cut where it is too long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from actors.ai.composition import ONE_LINER, adds_to, shorten, stands_alone
from actors.ai.gate import form
from actors.ai.gate.evidence import tokens
from actors.ai.patterns import patterns
from actors.ai.standing import speech
from actors.ai.words import SMALL, count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from actors.ai.ranking import Topic

_SAYS = patterns("actors.ai", "patterns.txt")

_ABOUT = 2.0  # weight of a sentence for the topic from which on it tells the whole
_ABOUT_IF_DESCRIBED = 1.5  # the same of a description's
_TELLING_WORDS = 8  # shorter sentences only introduce another
_LEAST_CUT = 100  # characters
_LEAST_REST = 5  # words; fewer often name who says it
_DATELINE = re.compile(  # as in "ORRIN, Velm (ABC) — "
    r"[^\W\d_a-z][\w.'\u2019]*(?:,?\s+[^\W\d_a-z][\w.'\u2019]*){0,3}\s?(?:\([^()]{2,30}\)\s?)?(?:[\u2014\u2013]|--|-|\.-)\s+(?=\w)"
)
_LONGEST_DATELINE = 80  # characters
_CLAUSE = re.compile(r",? [\u2014\u2013-] |[,;] ")
_DASH = re.compile(r" [\u2014\u2013-] ")
_NAME = re.compile(r" [^\W\d_a-z]")
_OPENING = re.compile(r"\w+(?:ing|ed)\b")


def one_line(title: str, topic: Topic, described: Sequence[str], first: Sequence[str]) -> str | None:
    """The first sentence of the page's description or of the text that tells the whole, or as much of it as fits.

    It says the topic's words, adds to the headline, needs no other sentence, and is nobody's speech. The second sentences are
    tried after the first ones.
    """
    told = [next((one for one in first if one in text), text) for text in described]
    tried = [(text, _ABOUT_IF_DESCRIBED) for text in told[:1]]
    tried += [(text, _ABOUT) for text in (*first[:1], *told[1:], *first[1:])]
    return next((line for text, least in tried if (line := _line(title, topic, text, least))), None)


def _line(title: str, topic: Topic, text: str, least: float) -> str | None:
    dateline = _DATELINE.match(text, 0, _LONGEST_DATELINE)
    text = text[dateline.end() :] if dateline else text
    tells = count(text) >= _TELLING_WORDS and topic.weight(text) >= least and stands_alone(text) and not speech(text)
    line = cut(text) if tells else None
    return line if line and adds_to(title, line) else None


def cut(text: str) -> str | None:
    """A sentence within 140 characters: whole, or its beginning with an ellipsis; None if the rest tells who says it."""
    if len(text) <= ONE_LINER:
        return text
    for head in (*_clauses(text), _words(text)):
        loses_speaker = _SAYS["attributed"].search(text, len(head)) and not _SAYS["attributed"].search(head)
        if head and form.is_balanced(head) and not loses_speaker:
            return f"{head}\u2026"
    return None


def _clauses(text: str) -> Iterator[str]:
    """The beginnings that end with a clause, longest first. With an odd number of commas or dashes an insertion is open."""
    is_introduced = (tokens(text)[0].lower() in SMALL and not _SAYS["named"].match(text)) or _OPENING.match(text)
    for end in reversed([] if is_introduced else list(_CLAUSE.finditer(text, _LEAST_CUT, ONE_LINER))):
        head = text[: end.start()]
        is_paired = head.count(",") % 2 == 0 and len(_DASH.findall(head)) % 2 == 0
        if is_paired and count(text[end.end() :]) >= _LEAST_REST:
            yield head


def _words(text: str) -> str:
    """The words that fit, up to one that carries a fact, and no part of a name."""
    head = shorten(text, ONE_LINER)[:-1]
    while head:
        rest, _, last = head.rpartition(" ")
        if last.lower() not in SMALL and not (last[:1].isupper() and _NAME.match(text, len(head))):
            break
        head = rest.rstrip(",;:")
    return head
