"""Checks the names in an answer: words with capitals or, in Chinese and Japanese, runs of katakana or Latin letters."""

import re
from functools import lru_cache
from importlib.resources import files

from actors.ai.gate.evidence import Evidence, has_capital_nouns, is_unspaced, tokens
from actors.ai.words import SMALL

_WORD = re.compile(r"[^\W_](?:[^\W_]|['\u2019.&+#/-](?=[^\W_]))*")
_OPENS = re.compile(r"(?:^|[.!?:;\u2026]\s*|[\"\u201c\u201e\u00ab\u2018(]\s*|\n)$")
_KATAKANA = re.compile(r"[\u30a1-\u30fa\u30fc]{3,}|[A-Za-z][A-Za-z0-9-]{2,}")
_, *_SETS = (files("actors.ai.gate") / "names.txt").read_text(encoding="utf-8").splitlines()
_KNOWN, *_ALIASES = (frozenset(line.split()) for line in _SETS)


def unknown(sentence: str, story: Evidence) -> str | None:
    """Return the first name in ``sentence`` that the story does not have.

    A word such as OpenAI or GPT-5 is always a name. Another capitalised word is a name if it does not begin a sentence.
    In German, where nouns have capitals, it must directly follow a capitalised word that does not begin a sentence.
    """
    if is_unspaced(story.text):
        return next((run for run in _KATAKANA.findall(sentence) if run.lower() not in story.normal), None)
    has_nouns = has_capital_nouns(story.sentences[2:])
    capitals = [match for match in _WORD.finditer(sentence) if match.group()[0].isupper() or _is_odd(match.group())]
    for at, match in enumerate(capitals):
        word = match.group()
        if _is_known(word, story):
            continue
        if _is_odd(word):
            return word
        before = at > 0 and sentence[capitals[at - 1].end() : match.start()] == " "
        if has_nouns:
            is_name = before and not _OPENS.search(sentence[: capitals[at - 1].start()])
        else:
            is_name = not _OPENS.search(sentence[: match.start()])
        if is_name:
            return word
    return None


def _is_odd(word: str) -> bool:
    """Return whether a word must be a name because of a capital inside (OpenAI) or letters with digits (GPT-5)."""
    if word.isalpha() and word[1:].islower():
        return False
    letters = [char for char in word if char.isalpha()]
    has_figures = any(char.isdigit() for char in word) and word[0].isalpha()
    return (has_figures and not word.lower().startswith("mid-")) or (
        len(letters) > 1 and any(char.isupper() for char in letters[1:]) and "-" not in word
    )


def _is_known(word: str, story: Evidence) -> bool:
    lower = re.sub(r"['\u2019]s?$", "", word.lower())
    words = _forms(story)
    if lower in words or lower in SMALL or lower in _KNOWN or _stem(lower) in words:
        return True
    if (bare := lower.replace(".", "")) != lower and _is_known(bare.upper(), story):
        return True  # the word is like U.S. and US
    if any(lower in same and same & words for same in _ALIASES):
        return True
    parts = [part for part in re.split(r"[-/'\u2019&]", lower) if part]
    return len(parts) > 1 and all(_is_known(part, story) for part in parts)


@lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    """Return a name without its ending, so that Italy and Italian are equal, and a singular and its plural."""
    return re.sub(r"(?:ians?|ans?|ish|ese|ics?|ia|s|n|y|e|a)$", "", word) if len(word) > 4 else word


@lru_cache(maxsize=16)
def _forms(story: Evidence) -> frozenset[str]:
    """Return the story's words in lower case, with and without full stops, and their stems and hyphenated parts."""
    words = {word.lower() for sentence in story.sentences for word in tokens(sentence)}
    parts = {part for word in words if not word.isalnum() for part in re.split(r"[-'\u2019]", word)}
    return frozenset({*words, *parts, *map(_stem, words), *(word.replace(".", "") for word in words)})
