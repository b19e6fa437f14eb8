"""Whether a sentence connects the story's facts as the story does: numbers, dates, causes, quotations and opposites.

Each fact may be in the story, and the sentence still be wrong: the number of one thing with the name of another. So the
clauses of the story with the number are compared with rivals: clauses with another number of its kind.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import is_unspaced, key, keys, tokens
from actors.ai.gate.names import speakers
from actors.ai.gate.numbers import numbers
from actors.ai.gate.quotations import normal, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.ai.gate.evidence import Evidence
    from actors.ai.gate.numbers import Number

_CLAUSE = re.compile(r"[;:]\s|,?\s(?:and|but|while|whereas|und|aber|während|et|mais|tandis que|y|pero|mientras)\s")
_BECAUSE = re.compile(
    r",?\s(because(?: of)?|due to|owing to|weil|wegen|aufgrund|parce qu[e']|à cause d[eu']|en raison d[eu']|porque|debido a)\s",
    re.IGNORECASE,
)
_COMMA = re.compile(r",\s")
_LIKE = 0.5  # share of a sentence's words that a sentence of the story about the same thing has
_LEAST = 2  # words that only the rival shares
_OPPOSITES = [
    (r"accept\w*|approv\w*|agreed to|welcom\w*", r"reject\w*|refus\w*|turned down"),
    (
        r"rose|rises?|risen|grew|grows?|increas\w*|climb\w*|went up",
        r"fell|falls?|fallen|drop\w*|decreas\w*|declin\w*|went down",
    ),
    (r"confirm\w*", r"den(?:y|ies|ied)"),
    (r"allow\w*|permit\w*|legal", r"ban(?:s|ned)?|forb\w+|prohibit\w*|illegal"),
    (r"support\w*|back(?:s|ed)", r"oppos\w*"),
    (r"w[io]ns?|won", r"los[te]\w*"),
    (r"started|begins?|began|opened|opens", r"stopped|stops|ended|ends|closed|closes"),
    (r"angenommen|erlaubt|genehmigt\w*|zugestimmt", r"abgelehnt|verboten|verbietet|untersagt"),
    (r"stieg\w*|steig\w+|gestiegen|wuchs\w*", r"fiel\w*|fäll\w*|gefallen|sank\w*|sink\w*|gesunken"),
    (r"accepté\w*|approuvé\w*|autoris\w+", r"refusé\w*|rejeté\w*|interdi\w+"),
    (r"aceptó|aprobó|permit\w+|autoriz\w+", r"rechaz\w+|prohib\w+"),
]
_SIDES = [
    tuple(re.compile(rf"\b(?:{side})\b", re.IGNORECASE) for side in sides)
    for pair in _OPPOSITES
    for sides in (pair, pair[::-1])
]
_VERSION = re.compile(r"\.\d")  # after a number that is only a part, as of a version
_SHORT_QUOTE = 12  # characters; a shorter quotation may have any speaker
_SMALL_FIRST = """
    the a an in on at of for by with from last this that these each some about around
    der die das im am le la les un une el los las en
"""
_OPENERS = frozenset(_SMALL_FIRST.split())

Place = tuple[frozenset[str], frozenset[str], str]
"""The words and the names of a clause, and its first word."""


def mispaired(sentence: str, story: Evidence) -> str | None:
    """A fault if the story gives a number of the sentence to something else."""
    if is_unspaced(sentence):
        return None
    for clause in clauses(sentence):
        mine = numbers(dates(clause).rest)
        said = _bare(clause)
        for number in mine:
            if _VERSION.match(clause, number.start + len(number.text)):
                continue
            own, rivals = _places(number, story)
            if own and any(
                _is_of_another(clause, said, own, rival) or _has_subject_of(clause, own, rival) for rival in rivals
            ):
                return f"the story gives {number.text.rstrip('.')} to something else"
    return None


def misdated(sentence: str, story: Evidence) -> str | None:
    """A fault if the story gives a date of the sentence to something else in the same sentence."""
    for clause in clauses(sentence):
        when, said = _when(clause), _bare(dates(clause).rest)
        for parts in [] if is_unspaced(sentence) or not when else _dated(story):
            own = [words for words, its in parts if when <= its]
            rivals = [words for words, its in parts if not when <= its]
            if own and any(
                all(len((said & rival) - words) >= _LEAST and not (said & words) - rival for words in own)
                for rival in rivals
            ):
                return "the story gives this date to something else"
    return None


def misquoted(sentence: str, story: Evidence) -> str | None:
    """A fault if a quotation's speaker, described without a name, is not near the quotation in the story."""
    for quote in quoted(sentence):
        before, _, behind = sentence.partition(quote)
        who = _speaker(before, behind)
        said = keys(who)
        form = normal(quote)
        if not said or speakers(who) or len(form) < _SHORT_QUOTE:
            continue
        places = [at for at, text in enumerate(story.sentences) if form in normal(text)]
        near = [story.keys_of[other] for at in places for other in range(max(0, at - 2), at + 1)]
        if near and not any(said & its for its in near):
            return f"the story does not give these words to {who.strip()}"
    return None


def miscaused(sentence: str, story: Evidence) -> str | None:
    """A fault if the story names a cause of the sentence for something else."""
    for effect, cause in causes(sentence):
        said, why = keys(effect), keys(cause)
        told = [
            (was, because) for was, because in _links(story) if why and len(why & keys(because)) >= _LIKE * len(why)
        ]
        if said and told and all(_is_other(effect, said, was) for was, _ in told):
            return f"the story names this cause for something else: {cause[:80]}"
    return None


def turned_round(sentence: str, story: Evidence) -> str | None:
    """A fault if the story says the opposite about the same thing."""
    for side, other in _SIDES:
        match = side.search(sentence)
        if not match or other.search(sentence):
            continue
        said = keys(sentence) - keys(match.group())
        alike = [
            text
            for text, its in zip(story.sentences, story.keys_of, strict=True)
            if len(said) > 1 and len(said & its) >= max(2, _LIKE * len(said))
        ]
        if any(other.search(text) for text in alike) and not any(side.search(text) for text in alike):
            return f"the story says the opposite of “{match.group()}”"
    return None


@lru_cache(maxsize=16)
def _told(story: Evidence) -> tuple[tuple[Place, tuple[Number, ...]], ...]:
    """Each clause of the story with a number, and its numbers."""
    every = [clause for sentence in story.sentences for clause in clauses(sentence)]
    numbered = ((clause, tuple(numbers(dates(clause).rest))) for clause in every)
    return tuple(((_bare(clause), _names(clause), _first(clause)), has) for clause, has in numbered if has)


@lru_cache(maxsize=16)
def _dated(story: Evidence) -> tuple[list[tuple[frozenset[str], frozenset[object]]], ...]:
    """For each sentence of the story with a date: the words and dates of its clauses."""
    parts = (
        [(_bare(dates(clause).rest), _when(clause)) for clause in clauses(text)]
        for text in story.sentences
        if _when(text)
    )
    return tuple(each for each in parts if len(each) > 1)


def _when(text: str) -> frozenset[object]:
    found = dates(text)
    return frozenset[object](found.days or [*found.months, *found.years])


def _places(number: Number, story: Evidence) -> tuple[list[Place], list[Place]]:
    """The clauses with a number, and the rival clauses with only another number of its kind; both empty for an implied number."""
    mine = max(number.readings)  # 1,400 is not read as 1.4 here
    own, rivals = [], []
    for place, has in _told(story):
        if any(mine == max(one.readings) for one in has):
            own.append(place)
        elif any(_kinds(one) & _kinds(number) for one in has):
            rivals.append(place)
    return own, rivals


def _kinds(number: Number) -> set[str]:
    return {unit for _, unit in number.readings}


def _is_of_another(clause: str, said: frozenset[str], own: list[Place], rival: Place) -> bool:
    """Whether a clause shares words with the rival, and none with only the clauses that have the number."""
    words, names, _ = rival
    mine = _names(clause)
    of_own = max((len((said & its) - words), len((mine & their) - names)) for its, their, _ in own)
    alone = min((len((said & words) - its) for its, _, _ in own))
    if alone >= _LEAST and of_own[0] == 0:
        return True
    named = all((mine & names) - their and their and not their & mine for _, their, _ in own)
    return named and of_own[0] < _LEAST + 1


def _has_subject_of(clause: str, own: list[Place], rival: Place) -> bool:
    """Whether a clause begins with the first word of the rival, and no clause with the number has that word."""
    first = _first(clause)
    return (
        bool(first)
        and first == rival[2]
        and all(first not in words and start not in _bare(clause) for words, _, start in own)
    )


def _first(clause: str) -> str:
    """The key of the first word that carries a fact."""
    return next((key(word) for word in tokens(clause) if keys(word) and not word[0].isdigit()), "")


@lru_cache(maxsize=16)
def _links(story: Evidence) -> tuple[tuple[str, str], ...]:
    return tuple(link for sentence in story.sentences for link in causes(sentence))


def causes(sentence: str) -> Iterator[tuple[str, str]]:
    """Effect and cause of each clause that names both."""
    for clause in clauses(sentence):
        effect, because, cause = _BECAUSE.split(clause, maxsplit=1) if _BECAUSE.search(clause) else (clause, "", "")
        if because:
            yield effect, cause


def _is_other(effect: str, said: frozenset[str], told: str) -> bool:
    """Whether an effect differs from the story's: by all its words, or by another name."""
    mine, theirs = _names(effect), _names(told)
    return not said & keys(told) or bool(mine and theirs and not mine & theirs)


def clauses(sentence: str) -> Iterator[str]:
    """The parts of a sentence that each state something. A comma between two numbers of a kind begins a part, too."""
    for part in filter(None, map(str.strip, _CLAUSE.split(sentence))):
        start = 0
        ends = [match.end() for match in _COMMA.finditer(part)]
        rest = dates(part).rest if ends else ""
        found = numbers(rest) if len(rest) == len(part) else []  # without its dates the text has other places
        for one, other in pairwise(found):
            at = bisect_left(ends, other.start + 1) - 1
            if at >= 0 and ends[at] > one.start and _kinds(one) & _kinds(other):
                yield part[start : ends[at]].strip(" ,")
                start = ends[at]
        yield part[start:]


def _bare(clause: str) -> frozenset[str]:
    return frozenset(word for word in keys(clause) if not word[0].isdigit())


def _names(clause: str) -> frozenset[str]:
    first, _, rest = clause.partition(" ")
    found = speakers(rest) + (speakers(first) if first[:1].isupper() and first.lower() not in _OPENERS else [])
    return frozenset(name.lower() for name in found)


def _speaker(before: str, behind: str) -> str:
    """The words that name a quotation's speaker: before “called it”, or after the closing mark."""
    after = re.match(r"[\"\u201d\u201c\u00bb,.\s]*(.{3,60}?)\s(?:said|says|sagte|erklärte|dijo|afirmó)\W*$", behind)
    if after:
        return after.group(1)
    ahead = re.match(
        r"\W*(.{3,60}?)\s(?:said|says|called|calls|wrote|told|sagte|nannte|nennt|dijo|calificó|qualifie)\b", before
    )
    return ahead.group(1) if ahead else ""
