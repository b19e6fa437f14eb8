"""Finds quotations in a story, even if quotation marks, dashes, spaces, capitals or markup differ in the story."""

import re
import unicodedata
from functools import lru_cache

_LINK = re.compile(r"\]\([^()\s]{0,2000}(?:\s[^()]{0,200})?\)")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-")
_DROPPED = frozenset(
    "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f*_\\[]"
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_ELLIPSIS = re.compile(r"\s*(?:\[?(?:\u2026|\.\.\.)\]?)\s*")
_QUOTED = re.compile(
    r"\u201c([^\u201c\u201d]+)\u201d|\u201e([^\u201e\u201c\u201d]+)[\u201c\u201d]|\u00ab([^\u00ab\u00bb]+)\u00bb"
    r"|\u300c([^\u300c\u300d]+)\u300d|\u300e([^\u300e\u300f]+)\u300f|\"([^\"]+)\""
    r"|(?<!\w)\u2018([^\u2018\u2019]+)\u2019(?!\w)|(?<!\w)'([^']+)'(?!\w)"
)


class _Forms(dict[int, str]):
    """Maps each character, by its code point, to its normal form."""

    def __missing__(self, number: int) -> str:
        char = chr(number)
        form = unicodedata.normalize("NFKC", char).translate(_DASHES).casefold()
        is_dropped = char in _DROPPED or (not char.isascii() and unicodedata.category(char) in _HIDDEN)
        return self.setdefault(number, " " if char.isspace() else "" if is_dropped else form)


_FORMS = _Forms()


def normal(text: str) -> str:
    """Return a text's normal form: no markup or quotation marks, single spaces, one kind of dash, lower case."""
    return " ".join(_LINK.sub("", text).translate(_FORMS).split())


def place(document: str, quote: str) -> tuple[int, int] | None:
    """Return the start and end of ``quote`` in ``document``, or None. The two are compared in their normal form."""
    wanted = normal(quote).strip(" .,;:")
    if not wanted:
        return None
    exact = document.find(quote)
    if exact >= 0:
        return exact, exact + len(quote)
    form, places = _mapped(document)
    start = form.find(wanted)
    return None if start < 0 else (places[start], places[start + len(wanted) - 1] + 1)


def quoted(text: str) -> list[str]:
    """Return the texts between quotation marks in ``text``."""
    return ["".join(filter(None, match.groups())) for match in _QUOTED.finditer(text)]


def stands_in(quote: str, form: str) -> bool:
    """Return whether ``form``, a text in normal form, has the quotation. Parts around an ellipsis may be far apart."""
    pieces = [normal(piece).strip(" .,;:!?\u3002\u3001\uff0c") for piece in _ELLIPSIS.split(quote)]
    return all(piece in form for piece in pieces)


@lru_cache(maxsize=16)
def _mapped(text: str) -> tuple[str, list[int]]:
    """Return the normal form of ``text``, and for each character of the normal form the index in ``text``."""
    skipped = {at for match in _LINK.finditer(text) for at in range(match.start(), match.end())}
    form: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        for part in "" if at in skipped else _FORMS[ord(char)]:
            if part != " " or (form and form[-1] != " "):
                form.append(part)
                places.append(at)
    return "".join(form), places
