"""The title of a page: the heading that its declared titles mean, else a declared title without the site's name."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEPARATOR = re.compile(r"\s+(?:[|·•»«\u203a\u2013\u2014-]|::|//|>>)\s+|\s*\|\s*")
_WORD = re.compile(r"\w+")
_ALIKE = 0.4  # of the words of the shorter one; chosen on the choosing half of WCXB
_LEAST = 2  # words of a heading that need not be the declared title itself
_LEAST_OF_A_SITE = 4  # letters of a name that may be a part of another one


def page_title(declared: Sequence[str], headings: Sequence[str], site: str, url: str) -> str:
    """Choose the title.

    Args:
        declared: The declared titles, the best first: Open Graph, structured data, the ``title`` element.
        headings: Its headings of the first level.
        site: The site's name, if the page has it.
        url: The page's address; its host names the site too.
    """
    names = _names(site, url)
    whole = [title for title in declared if title and letters(title) not in names]
    bare = [_without_site(title, names) for title in whole]
    best, alike = "", 0.0
    for heading in headings:
        shown = _without_site(heading, names)
        words = _words(shown)
        if not words or letters(shown) in names:
            continue
        if len(words) < _LEAST and letters(shown) not in map(letters, bare):
            continue
        shared = max(
            (len(words & other) / min(len(words), len(other)) for one in bare if (other := _words(one))), default=0.0
        )
        if shared > alike:
            best, alike = shown, shared
    if alike >= _ALIKE:
        return best
    others = (heading for heading in headings if letters(heading) not in names)
    return next(iter(bare), "") or next(others, "") or next(iter([*declared, *headings]), "")


def _names(site: str, url: str) -> list[str]:
    """The letters of the site's name and of its domains, with and without their ends."""
    labels = (urlsplit(url).hostname or "").removeprefix("www.").split(".")
    domains = [".".join(labels[at:]) for at in range(len(labels) - 1)]
    return [name for name in map(letters, (site, *domains, *(one.rpartition(".")[0] for one in domains))) if name]


def _without_site(title: str, names: list[str]) -> str:
    """``The story | The Site`` and ``The Site: The story`` without the site's name."""
    while (match := next(iter(_SEPARATOR.finditer(title)), None)) is not None:
        *_, last = _SEPARATOR.finditer(title)
        if _names_site(title[last.end() :], names):
            title = title[: last.start()]
        elif _names_site(title[: match.start()], names):
            title = title[match.end() :]
        else:
            break
    return title.strip()


def _names_site(part: str, names: list[str]) -> bool:
    own = letters(part)
    return bool(own) and any(
        own == name or (len(own) >= _LEAST_OF_A_SITE and own in name) or (len(name) >= _LEAST_OF_A_SITE and name in own)
        for name in names
    )


def _words(text: str) -> set[str]:
    return set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def letters(text: str) -> str:
    """A text's letters and figures only, to compare names."""
    return "".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
