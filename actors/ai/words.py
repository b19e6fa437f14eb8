"""Splits text into words, finds the words that carry meaning, and counts words."""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files

_WORD = re.compile(r"[^\W_]+(?:['\u2019.+#-]*[^\W_]+)*[+#]*")
_LETTERS = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_DENSE = re.compile(r"[\u3001-\u3011\uff01-\uff60\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_POSSESSIVE = re.compile(r"['\u2019]s$")

_STOP, _, _MORE = (files("actors.ai") / "words.txt").read_text(encoding="utf-8").partition("\n\n")
STOP_WORDS = frozenset(_STOP.split())
SMALL = STOP_WORDS | frozenset(_MORE.split())
"""Words without a fact, in six languages; ``STOP_WORDS`` are English words to which embeddings give less weight."""


def words(text: str) -> list[str]:
    """Return the words of ``text`` in order, in lower case. ``node.js``, ``c++`` and ``gpt-4`` each stay one word."""
    found: list[str] = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return [word if word.isalnum() else _POSSESSIVE.sub("", word) for word in found]


@lru_cache(maxsize=1024)
def words_of(text: str) -> frozenset[str]:
    """Return the runs of letters in ``text``, in lower case. Callers test them first, to avoid slower searches."""
    return frozenset(_LETTERS.findall(text.lower()))


def content_words(text: str) -> list[str]:
    """Return the words of a text in order, without stop words, and each without a simple plural ending."""
    return [_stem(word) for word in words(text) if word not in STOP_WORDS]


def is_unspaced(text: str) -> bool:
    """Return whether a text has letters of a script without spaces between words, such as Chinese or Thai."""
    return _UNSPACED.search(text) is not None


def is_dense(text: str) -> bool:
    """Return whether the last character is Chinese or Japanese. These languages have no spaces between sentences."""
    return bool(_DENSE.match(text.rstrip()[-1:]))


def count(text: str) -> int:
    """Return the number of words separated by white space. Two Chinese or Japanese characters count as one word."""
    dense = 0 if text.isascii() else len(_DENSE.findall(text))
    return len(_DENSE.sub(" ", text).split() if dense else text.split()) + (dense + 1) // 2


def terms(text: str) -> list[str]:
    """Return the words by which sentences are compared: ``content_words``, or pairs of characters in scripts without spaces."""
    found: list[str] = []
    for word in content_words(text):
        dense = _DENSE.search(word) and len(word) > 2
        found += [word[at : at + 2] for at in range(len(word) - 1)] if dense else [word]
    return found


@lru_cache(maxsize=16_384)
def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and word[-2] not in "su":
        return word[:-1]
    return word
