"""Names in an answer: words with a capital; in Japanese and Chinese, runs of foreign letters."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from actors.ai.gate.evidence import SMALL, UNSPACED, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.ai.gate.evidence import Evidence

_WORD = re.compile(r"[^\W_](?:[^\W_]|['\u2019.&+#/-](?=[^\W_]))*")
_OPENS = re.compile(r"(?:^|[.!?:;\u2026]\s*|[\"\u201c\u201e\u00ab\u2018(]\s*|\n)$")
_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]{3,}|[A-Za-z][A-Za-z0-9-]{2,}")
_ALIASES = [
    {"us", "u.s", "usa", "american", "americans", "america", "states"},
    {"uk", "u.k", "britain", "british", "kingdom"},
    {"eu", "european", "europe", "union"},
    {"un", "u.n", "nations"},
    {"france", "french"},
    {"spain", "spanish"},
    {"netherlands", "dutch"},
    {"germany", "german"},
    {"china", "chinese"},
    {"switzerland", "swiss"},
    {"denmark", "danish"},
    {"poland", "polish"},
    {"ceo", "executive"},
    {"ai", "intelligence"},
]
_KNOWN_LIST = """
    i mr mrs ms dr prof ceo cto api apis url os http https json html sql cpu gpu ram ok tv pm am gmbh ag inc ltd co
    kb mb gb tb kw mw gw kwh mwh hz mhz ghz
"""
_KNOWN = frozenset(_KNOWN_LIST.split())
_FOLLOWS_A_NAME = re.compile(
    r"\s(?:is|was|has|had|will|would|can|could|may|says|said|told|announced|bought|buys|acquired|acquires"
    r"|wants|plans|made|makes|"
    r"leads|led|owns|took|takes|found|developed|built|wrote|writes|warned|warns|reported|reports)\b"
)
_LONGEST = 8  # letters of an abbreviated name
_NEVER_FIRST = re.compile(r"(?:ly|ing|ed|s|tion|ment|ness|ity|age|ware|ance|ence)$")


def unknown(sentence: str, story: Evidence, *, is_german: bool) -> str | None:
    """The first name in ``sentence`` that the story does not have."""
    if story.is_unspaced:
        return next((run for run in _KATAKANA.findall(sentence) if run.lower() not in story.normal), None)
    strange = [match for match in _WORD.finditer(sentence) if not _is_known(match.group(), story)]
    capitals = [match for match in strange if _is_capital(match.group())]
    if _is_headline(sentence):
        return next((match.group() for match in capitals if _is_odd(match.group())), None)
    for match in capitals:
        word, is_first = match.group(), bool(_OPENS.search(sentence[: match.start()]))
        has_more = any(0 < other.start() - match.end() < 3 for other in capitals)
        if _is_odd(word) or (has_more and (not is_german or not is_first)):
            return word
        if is_german:
            continue
        if not is_first or (_FOLLOWS_A_NAME.match(sentence, match.end()) and not _NEVER_FIRST.search(word)):
            return word
    return None


def speakers(text: str) -> list[str]:
    """Words of ``text`` that may belong to a person's or a company's name."""
    return [
        match.group()
        for match in _WORD.finditer(text)
        if _is_capital(match.group()) and match.group().lower() not in SMALL and not UNSPACED.search(match.group())
    ]


def _is_capital(word: str) -> bool:
    return word[0].isupper() and not word[0].isdigit()


def _is_odd(word: str) -> bool:
    """Whether a word can only be a name: capitals inside it (OpenAI, IBM), or letters with figures (GPT-5)."""
    letters = [char for char in word if char.isalpha()]
    has_figures = any(char.isdigit() for char in word) and word[0].isalpha()
    return has_figures or (len(letters) > 1 and any(char.isupper() for char in letters[1:]) and "-" not in word)


def _is_headline(sentence: str) -> bool:
    """Whether most words have a capital, as in English headlines."""
    long = [word for word in tokens(sentence) if len(word) > 3]
    return len(long) > 3 and sum(map(_is_capital, long)) > 0.7 * len(long)


def _is_known(word: str, story: Evidence) -> bool:
    lower = re.sub(r"['\u2019]s?$", "", word.lower())
    if lower in story.words or lower in SMALL or lower in _KNOWN or _land(lower) in _lands(story):
        return True
    if any(lower in same and same & story.words for same in _ALIASES):
        return True
    if word.isupper() and len(word) > 1 and lower in _initials(story):
        return True
    parts = [part for part in re.split(r"[-/'\u2019&]", lower) if part]
    return len(parts) > 1 and all(_is_known(part, story) for part in parts)


def _land(word: str) -> str:
    """The common part of Norway and Norwegian, of Velmouth and Velmouth's, or of a name and its plural."""
    return re.sub(r"(?:ians?|ans?|ish|ese|ia|s|n|y|e|a)$", "", word) if len(word) > 4 else word


@lru_cache(maxsize=16)
def _lands(story: Evidence) -> frozenset[str]:
    return frozenset(map(_land, story.words))


@lru_cache(maxsize=16)
def _initials(story: Evidence) -> frozenset[str]:
    """The first letters of runs of words with a capital, such as imf for International Monetary Fund."""
    return frozenset(initials for sentence in story.sentences for initials in _runs(sentence))


def _runs(sentence: str) -> Iterator[str]:
    for run in re.findall(r"(?:[A-Z][\w'’-]*(?: (?:of|for|and|the) | ))+[A-Z][\w'’-]*", sentence):
        letters = "".join(word[0] for word in run.split() if word[0].isupper()).lower()
        yield from (
            letters[start:end]
            for start in range(len(letters))
            for end in range(start + 2, min(len(letters), start + _LONGEST) + 1)
        )
