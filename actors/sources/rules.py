"""Defines the rules of filters, and tests texts for the words and regular expressions of a rule."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from zeke_jobs import Duration, parse_duration
from zeke_jobs.core.wording import format_duration

LONGEST = 1000  # characters
_MEMORY = 1 << 20  # bytes; with less memory, RE2 is slower, but still linear
# These letters belong to scripts without spaces. Next to such a letter, a word is found even without a word boundary.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_LETTER = rf"[^\W{_UNSPACED}]"
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def folded(text: str) -> str:
    """Return a text normalised for comparisons: NFKC, straight apostrophes, single spaces, no invisible characters."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).replace("\u2019", "'").split())


def checked(expression: str) -> str:
    """Return the expression. Raises ValueError if it is too long, if RE2 rejects it, or if it fits all texts."""
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
    """Return the word or phrase without outer spaces. Raises ValueError if it is empty or too long."""
    if not folded(words) or len(words) > LONGEST:
        raise ValueError(f"expected a word or phrase of at most {LONGEST} characters, got {words[:60]!r}")
    return words.strip()


def has_words(words: str, text: str) -> bool:
    """Return whether a ``folded`` text contains a word or phrase as whole words, ignoring case."""
    small, (parts, whole) = _small(text), _whole(words)
    return all(part in small for part in parts) and whole.search(text) is not None


def fits(expression: str, text: str) -> bool:
    """Return whether a regular expression matches anywhere in a text that ``folded`` returned."""
    return _compiled(expression).search(text) is not None


_small = lru_cache(maxsize=4)(str.casefold)


@lru_cache(maxsize=8192)
def _whole(words: str) -> tuple[list[str], re.Pattern[str]]:
    """Return the words of a phrase, for a quick check before the search, and the pattern that finds the phrase."""
    phrase = "[ -]+".join(map(re.escape, folded(words).split(" ")))
    pattern = re.compile(f"(?<!{_LETTER}){phrase}(?!{_LETTER})", re.IGNORECASE)
    return folded(words).casefold().split(" "), pattern


@lru_cache(maxsize=8192)
def _compiled(expression: str) -> Any:
    """Compile an expression. Characters outside ASCII are normalised in the same way as the searched texts."""
    import re2

    letters = unicodedata.normalize("NFC", expression)
    return re2.compile("".join(one if one.isascii() else re2.escape(folded(one) or one) for one in letters), _options())


def _options() -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive, options.log_errors, options.never_capture, options.max_mem = False, False, True, _MEMORY
    return options


def _length(value: Any) -> int | timedelta:
    if isinstance(value, str) and not value.isdecimal():
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or int(value) < 1:
        wanted = "a number of words such as 300, or the duration of a recording such as 2m"
        raise ValueError(f"expected {wanted}, got {value!r}")
    return int(value)


_Several = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
_Words = Annotated[tuple[Annotated[str, AfterValidator(checked_words)], ...], _Several]
_Patterns = Annotated[tuple[Annotated[str, AfterValidator(checked)], ...], _Several]
_Languages = Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], _Several]
_Length = Annotated[int | timedelta | None, BeforeValidator(_length)]


class Conditions(BaseModel, extra="forbid", frozen=True):
    """Holds the conditions of a rule. An item must meet all conditions. If a condition is a list, one matching entry is enough.

    Attributes:
        words: Words and phrases to find as whole words in the title, the feed's text or the tags, ignoring case.
        regex: RE2 expressions to find in the same places. Case is ignored unless an expression begins with ``(?-i)``.
        only_title: Whether ``words`` and ``regex`` are searched only in the title.
        author: Words to find as whole words in the author's name.
        language: Codes such as ``de``, one of which must be the text's language.
        shorter: A number of words, or a duration: the text or recording must be shorter. ``longer`` is the opposite.
        older: The minimum time from the publication of the item until it was found.
        source: Sources of the item, each given by a part of its name or address, or by the beginning of its id.
        folder: Folders of the item's source, such as ``Tech`` or ``Tech/Python``. Subfolders are included.
    """

    words: _Words = ()
    regex: _Patterns = ()
    only_title: bool = False
    author: _Words = ()
    language: _Languages = ()
    shorter: _Length = None
    longer: _Length = None
    older: Duration | None = None
    source: _Words = ()
    folder: _Words = ()

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not any((self.words, self.regex, self.author, self.language, self.shorter, self.longer, self.older)):
            raise ValueError("expected words, regex, author, language, shorter, longer or older, got none of them")
        return self


class Rule(BaseModel, extra="forbid", frozen=True):
    """Describes one rule: ``drop`` matching items, or ``keep`` them and drop all other items of the same sources."""

    drop: Conditions | None = None
    keep: Conditions | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.drop is None) == (self.keep is None):
            raise ValueError("expected drop or keep with its conditions, got both or neither")
        return self

    @property
    def when(self) -> Conditions:
        """Return the rule's conditions, which are in ``drop`` or in ``keep``."""
        when = self.drop or self.keep
        assert when is not None
        return when

    def __str__(self) -> str:
        """Return the rule as text, such as ``drop words crypto, "price of bitcoin"; older 30d``."""
        parts = []
        for name in Conditions.model_fields:
            value = getattr(self.when, name)
            several = value if isinstance(value, tuple) else [value]
            if value:
                parts.append("only title" if value is True else f"{name} {', '.join(map(_said, several))}")
        return f"{'drop' if self.drop else 'keep'} {'; '.join(parts)}"


def _said(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)
