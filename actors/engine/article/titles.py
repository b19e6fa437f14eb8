"""The title of a page: the heading that its declared titles mean, else a declared title without the site's name."""

import re
import unicodedata
from collections.abc import Sequence

_SEPARATOR = re.compile(r"\s+[|·•»«\u203a\u2013\u2014-]\s+")
_WORD = re.compile(r"\w+")
_ALIKE = 0.4  # of the words of the shorter one; chosen on the choosing half of WCXB


def page_title(declared: Sequence[str], headings: Sequence[str], site: str) -> str:
    """Choose the title.

    Args:
        declared: The declared titles, the best first: Open Graph, structured data, the ``title`` element.
        headings: Its headings of the first level.
        site: The site's name, if the page has it.
    """
    own = letters(site)
    # Of ``The story | The Site`` and ``The Site | The story``, the story.
    parts = ((one for one in _SEPARATOR.split(title) if letters(one) not in {"", own}) for title in declared)
    bare = [first for some in parts if (first := next(some, ""))]
    meant = max(headings, key=lambda one: _likeness(one, bare), default="")
    return next(iter([*([meant] if _likeness(meant, bare) >= _ALIKE else []), *bare, *headings, *declared]), "")


def _likeness(heading: str, titles: Sequence[str]) -> float:
    """The greatest share of common words, from 0 to 1, that a heading has with one of the titles."""
    words = _words(heading)
    sets = [other for one in titles if words and (other := _words(one))]
    return max((len(words & other) / min(len(words), len(other)) for other in sets), default=0.0)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def letters(text: str) -> str:
    """A text's letters and figures only, to compare names."""
    return "".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
