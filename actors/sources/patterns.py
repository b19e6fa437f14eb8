"""Whether words or a regular expression of RE2 fit a text, in time linear in the text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

LONGEST = 1000
"""Characters of one expression."""

_MEMORY = 1 << 20  # bytes of one expression and its automaton; without enough of it RE2 is slower, and still linear
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


def has_words(words: str, text: str) -> bool:
    """Whether a ``folded`` text has a word or phrase, as whole words, in any case."""
    small = _small(text)
    return all(part in small for part in _parts(words)) and _whole(words).search(text) is not None


def fits(expression: str, text: str) -> bool:
    """Whether a regular expression finds something in a ``folded`` text."""
    return _compiled(expression).search(text) is not None


_small = lru_cache(maxsize=4)(str.casefold)


@lru_cache(maxsize=8192)
def _parts(words: str) -> list[str]:
    return folded(words).casefold().split(" ")


@lru_cache(maxsize=8192)
def _whole(words: str) -> re.Pattern[str]:
    phrase = "[ -]+".join(map(re.escape, folded(words).split(" ")))
    return re.compile(f"(?<!{_LETTER}){phrase}(?!{_LETTER})", re.IGNORECASE)


@lru_cache(maxsize=8192)
def _compiled(expression: str) -> Any:
    """The expression; its own letters beyond ASCII are as texts are when it is tried."""
    import re2

    letters = unicodedata.normalize("NFC", expression)
    return re2.compile("".join(one if one.isascii() else re2.escape(folded(one) or one) for one in letters), _options())


def _options() -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive, options.log_errors, options.never_capture, options.max_mem = False, False, True, _MEMORY
    return options
