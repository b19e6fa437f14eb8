"""Finds which of many words and regular expressions fit a text, in time linear in the text, by RE2."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any

Pattern = tuple[Hashable, str, bool]

LONGEST = 1000
"""Characters of one expression."""

_MEMORY = 1 << 20  # bytes of one expression and its automaton; without enough of it RE2 is slower, and still linear
_TOGETHER = 500
_CANARY = "zqcanaryqz"
# Letters but those of scripts without spaces between words, beside which no boundary is needed.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_LETTER = rf"[^\W{_UNSPACED}]"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def folded(text: str) -> str:
    """A text as patterns see it: of usual width, composed, white space as single spaces, without invisible characters."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).replace("\u2019", "'").split())


def checked(expression: str) -> str:
    """The regular expression, if RE2 takes it.

    Raises:
        ValueError: it does not, or every text fits.
    """
    import re2

    if len(expression) > LONGEST:
        raise ValueError(f"expected a regular expression of at most {LONGEST} characters, got {len(expression)}")
    try:
        made = re2.compile(expression, _options())
    except (re2.error, UnicodeError) as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error, re2.error) else error
        limits = "RE2 has no look-around, no back-references, and repeats at most 1000 times"
        raise ValueError(f"expected a regular expression of RE2, got {expression!r}: {why}; {limits}") from error
    if made.search("") and made.search("#1: a; ?"):
        raise ValueError(f"expected a regular expression that not every text fits, got {expression!r}")
    return expression


def checked_words(words: str) -> str:
    """The word or phrase without white space around it.

    Raises:
        ValueError: nothing is left of it, or it is too long.
    """
    if not folded(words) or len(words) > LONGEST:
        raise ValueError(f"expected a word or phrase of at most {LONGEST} characters, got {words[:60]!r}")
    return words.strip()


class Finder:
    """Finds which of many patterns fit a text.

    Args:
        patterns: Of each its key, its text, and whether that is a word or phrase; otherwise it is a regular expression.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._parts: list[tuple[Callable[[str], Sequence[int] | None], Sequence[Pattern]]] = []
        for start in range(0, len(patterns), _TOGETHER):
            self._add(patterns[start : start + _TOGETHER])

    def _add(self, patterns: Sequence[Pattern]) -> None:
        import re2

        made = re2.Filter()
        for _, text, is_word in patterns:
            made.Add(_phrase(text, re2.escape) if is_word else _folded_too(text, re2.escape), _options())
        made.Add(_CANARY, _options())
        try:
            made.Compile()
            is_sound = len(patterns) in (made.Match(_CANARY) or ())
        except re2.error:  # one automaton cannot hold them
            is_sound = False
        if is_sound:
            self._parts.append((made.Match, patterns))
        elif len(patterns) > 1:
            self._add(patterns[: len(patterns) // 2])
            self._add(patterns[len(patterns) // 2 :])
        else:
            self._parts.append((lambda text: [0] if made.re(0).search(text) else None, patterns))

    def found(self, text: str) -> set[Hashable]:
        """The keys of the patterns that fit a ``folded`` text."""
        keys: set[Hashable] = set()
        for match, patterns in self._parts:
            for place in match(text) or ():
                if place < len(patterns):
                    key, words, is_word = patterns[place]
                    # RE2 has no look-around: it has found the words' letters, which may be a part of a word.
                    if not is_word or _whole(words).search(text):
                        keys.add(key)
        return keys


def _folded_too(expression: str, escape: Callable[[str], str]) -> str:
    """A regular expression whose own letters beyond ASCII are as texts are when it is tried."""
    return "".join(
        one if one.isascii() else escape(folded(one) or one) for one in unicodedata.normalize("NFC", expression)
    )


def _phrase(words: str, escape: Callable[[str], str]) -> str:
    return "[ -]+".join(escape(part) for part in folded(words).split(" "))


@lru_cache(maxsize=8192)
def _whole(words: str) -> re.Pattern[str]:
    return re.compile(f"(?<!{_LETTER}){_phrase(words, re.escape)}(?!{_LETTER})", re.IGNORECASE)


def _options() -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive, options.log_errors, options.never_capture, options.max_mem = False, False, True, _MEMORY
    return options
