"""Tests whether a sentence can be read alone: it needs no sentence before it, and names the speaker of its quotations.

``patterns.txt`` has the words, in about twenty languages.
"""

import re
from functools import lru_cache

from actors.ai.gate import form
from actors.ai.gate.evidence import is_unspaced, tokens
from actors.ai.sentences import is_whole
from actors.patterns import patterns

_SAYS = patterns("actors.ai", "patterns.txt")

_TITLE_CASE = 0.7  # a text with this share of capitalised words is a heading
_LONGEST = 600  # maximum number of characters in a sentence; the bound also keeps the patterns fast
_SPEECH = 25  # a quotation with at most this number of characters is a name or a term, not speech
_CLOSE = 4  # number of words before and after a speech that are searched for the speaker's name
_WORD = re.compile(r"[^\W\d_][\w'\u2019.-]*")
_UNCASED = re.compile(r"[\u0600-\u06ff\u0900-\u097f\uac00-\ud7af]")
_FIGURE = re.compile(r"\d+")
_FIGURES = 2  # a text with at least this number of figures, and many names, is from a table
_MOST_MARKED = 0.6  # the largest share of names and figures among the words of a sentence with these figures


def is_fit(text: str) -> bool:
    """Return whether a text is a whole sentence in good form."""
    return is_whole(text) and form.fault(text) is None


def is_independent(text: str) -> bool:
    """Return whether a sentence can be read alone."""
    return len(text) <= _LONGEST and not is_scrap(text) and not leans(text)


def is_told_to_reader(text: str) -> bool:
    """Return whether a sentence begins by addressing the reader, as advice and adverts do."""
    return _SAYS["to_reader"].match(text) is not None


@lru_cache(maxsize=1024)
def unquoted(text: str) -> str:
    """Return a text without its quotations."""
    return _SAYS["quotation"].sub(" ", text)


def addresses_reader(text: str) -> bool:
    """Return whether a sentence says ``you`` outside a quotation."""
    return _SAYS["you"].search(unquoted(text)) is not None


def is_personal(text: str) -> bool:
    """Return whether a sentence says ``I``, ``we`` or ``you`` outside a quotation. A reader does not know who speaks."""
    told = unquoted(text)
    return any(_SAYS[person].search(told) for person in ("myself", "us", "you"))


@lru_cache(maxsize=1024)
def leans(text: str) -> bool:
    """Return whether a sentence refers to the sentence before it."""
    if any(_SAYS[name].search(text) for name in ("linked", "of_it", "elsewhere")):
        return True
    if any(_SAYS[name].match(text) for name in ("subjectless", "also", "role", "participle", "pointed")):
        return True
    if _SAYS["start"].match(text) and not _SAYS["dated"].match(text):
        return True
    early = _SAYS["pronoun"].match(text) or _SAYS["early"].match(text)
    return early is not None and not _SAYS["named"].search(early["before"])


@lru_cache(maxsize=1024)
def is_scrap(text: str) -> bool:
    """Return whether a text is part of a sentence or list, speech without a speaker's name, or about its author."""
    around = unquoted(text)
    if (
        _SAYS["scrap"].match(text)
        or _SAYS["address"].search(text)
        or _SAYS["symbol"].search(text)
        or _SAYS["myself"].search(around)
        or not _names_speaker(text)
    ):
        return True
    if _SAYS["role_speaks"].search(around) and not _SAYS["full_name"].search(around):
        return True
    if is_unspaced(text):
        return False
    said = tokens(text)
    marked = sum(not word[0].islower() for word in said)
    return marked > (_MOST_MARKED if len(_FIGURE.findall(text)) >= _FIGURES else _TITLE_CASE) * len(said)


def speech(text: str) -> list[re.Match[str]]:
    """Return the quotations of a text that are long enough to be speech."""
    return [one for one in _SAYS["quotation"].finditer(text) if len(one.group()) > _SPEECH]


def _names_speaker(text: str) -> bool:
    """Return whether a full name is near the speech, or a single name is next to it."""
    parts = _SAYS["quotation"].sub(lambda one: "\n" if len(one.group()) > _SPEECH else " ", text).split("\n")
    if len(parts) == 1 or any(_SAYS["full_name"].search(part) for part in parts):
        return True
    if is_unspaced(text):
        return _SAYS["speaks_unspaced"].search("".join(parts)) is not None
    words = [_WORD.findall(part) for part in parts]
    words[0] = words[0][1:]  # ignore the capital of the first word
    near = [word for part in words[:-1] for word in part[-_CLOSE:]]
    near += [word for part in words[1:] for word in part[:_CLOSE]]
    return any(word[0].isupper() or _UNCASED.match(word) for word in near if not _SAYS["start"].fullmatch(word))
