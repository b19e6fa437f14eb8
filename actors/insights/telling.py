"""Sentences that tell something of the headline's subject, as candidates for highlights."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from actors.ai.ranking import ranked
from actors.ai.standing import addresses_reader, is_told_to_reader, speaks_of_us
from actors.ai.words import is_unspaced, terms
from actors.insights.candidates import Candidate
from actors.insights.claims import kind_of

if TYPE_CHECKING:
    from collections.abc import Collection

_LEAST = 2.9
_ENOUGH = 0.4  # share of the headline's words; more of them do not make a better sentence
_DIGIT = re.compile(r"\d")
_NAME = re.compile(r"(?<=\S )\W?([A-ZÀ-ÝА-Я][\w'\u2019-]*)")


def telling_candidates(
    document: str, title: str, lead: float = 0.4, taken: Collection[tuple[int, int]] = (), *, has_code: bool = False
) -> list[Candidate]:
    """The sentences that can be read alone and score enough, none of them at a place in ``taken``.

    A sentence scores by the share of the headline's words in it and in its first third, where the subject stands, by its other
    words, by a number, and, times ``lead``, by its place. An opening without a number or a name beyond the headline's says too
    little. Authors of texts with code may say "we" and "you": they report their own work.
    """
    items = ranked(document)
    named = set(terms(title)) or set(terms(items[0].text if items else ""))
    found = []
    for index, item in enumerate(items):
        if not item.is_independent or any(start < item.end and item.start < end for start, end in taken):
            continue
        if is_told_to_reader(item.text) or (index == 0 and not _names_more(named, item.text)):
            continue
        if not has_code and (addresses_reader(item.text) or speaks_of_us(item.text)):
            continue
        score = _told(named, item.text) - 1.6 * lead * index / len(items)
        if score >= _LEAST:
            place = (item.start, item.end)
            found.append(Candidate(kind_of(item.text), item.text, item.raw, *place, item.heading, weight=score))
    return found


def _names_more(named: set[str], text: str) -> bool:
    return (
        bool(_DIGIT.search(text))
        or is_unspaced(text)
        or any(not named.issuperset(terms(one)) for one in _NAME.findall(text))
    )


def _told(named: set[str], text: str) -> float:
    """The score of a sentence without its place. The weights are those of a logistic regression on 762 marks of readers."""
    said, early = set(terms(text)), set(terms(text[: len(text) // 3]))
    size = max(1, len(named))
    shares = 3 * min(_ENOUGH, len(named & said) / size) + 1.2 * len(named & early) / size
    return shares + 0.8 * math.log(1 + len(said - named)) + 0.5 * bool(_DIGIT.search(text))
