"""Whether facts that a sentence combines are close together in the story: in one sentence or in neighbouring ones."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from actors.ai.gate.dates import dates
from actors.ai.gate.evidence import SMALL, is_unspaced, keys, tokens
from actors.ai.gate.numbers import numbers
from actors.ai.gate.pairs import causes, clauses

if TYPE_CHECKING:
    from actors.ai.gate.evidence import Evidence

_RUN = re.compile(r"(?<!\w)[A-ZÀ-Ý][\w'\u2019-]+(?: [A-ZÀ-Ý][\w'\u2019-]+)*")
_HALF = 0.5
_START = 30  # characters at the beginning of a clause in which its subject is named

Name = tuple[str, ...]
"""The words of a name; two names are the same if their last words are."""


def far_apart(sentence: str, story: Evidence) -> str | None:
    """A fault if the story never has two names of a clause close together, or has a number only in sentences about others."""
    if story.is_unspaced:
        return None
    for clause in clauses(sentence):
        named = [name for name in _names(clause, story) if name[-1] not in _central(story) and _places(name[-1], story)]
        for one, other in combinations(named, 2):
            if _gap(one[-1], other[-1], story) > 1:
                return f"the story does not name {' '.join(one)} together with {' '.join(other)}"
        full = [name for name in named if len(name) > 1]
        if full and (number := _of_somebody_else(clause, full[0], story)):
            return f"the story does not say {number} of {' '.join(full[0])}"
    return None


def far_caused(sentence: str, story: Evidence) -> str | None:
    """A fault if the story has a cause and its effect only far apart."""
    for effect, cause in causes(sentence):
        why, said = keys(cause), keys(effect)
        if is_unspaced(sentence) or not why or not said:
            continue
        windows = [
            its | after for its, after in zip(story.keys_of, [*story.keys_of[1:], frozenset[str]()], strict=True)
        ]
        if not any(len(why & its) >= _HALF * len(why) and len(said & its) >= _HALF * len(said) for its in windows):
            return f"the story does not tell this cause of it: {cause.strip()[:80]}"
    return None


def _of_somebody_else(clause: str, who: Name, story: Evidence) -> str | None:
    """A number that the story has only in sentences with the full name of another; None without one."""
    if clause.find(who[-1]) > _START:
        return None
    for number in numbers(dates(clause).rest):
        mine = max(number.readings)
        own = [at for at, has in enumerate(story.numbers) if any(mine == max(one.readings) for one in has)]
        others = [{name[-1] for name in _names(story.sentences[at], story) if len(name) > 1} for at in own]
        if own and all(others) and not any(who[-1] in its for its in others):
            return number.text.rstrip(".")
    return None


def _names(text: str, story: Evidence) -> list[Name]:
    """Runs of words with a capital. A single word counts within a sentence, but not in German, where nouns have a capital."""
    found: list[Name] = []
    for match in _RUN.finditer(text):
        words = tuple(re.sub(r"['\u2019]s$", "", word) for word in match.group().split())
        while words and (words[0].lower() in SMALL or words[0].lower() in story.common):
            words = words[1:]
        if len(words) > 1 or (words and match.start() and not story.is_german):
            found.append(words)
    return found


def _gap(one: str, other: str, story: Evidence) -> int:
    return min(abs(at - place) for at in _places(one, story) for place in _places(other, story))


@lru_cache(maxsize=1024)
def _places(word: str, story: Evidence) -> tuple[int, ...]:
    pattern = re.compile(rf"\b{re.escape(word)}")
    return tuple(at for at, text in enumerate(story.sentences) if pattern.search(text))


@lru_cache(maxsize=16)
def _central(story: Evidence) -> frozenset[str]:
    """The words of the headline, which belong to the whole story."""
    return frozenset(tokens(story.sentences[0])) if story.sentences else frozenset()
