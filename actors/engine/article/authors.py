"""The authors of a page: whom its structured data or metas name, else its byline, else the site that they name."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actors.engine.article.lines import Line
from actors.engine.text import one_line, text_of

_MOST = 10
_ABOVE, _BELOW = 25, 60  # elements from the heading; chosen on the choosing half of WCXB, as the patterns are
_BY = re.compile(
    r"\W*(?P<said>(?:written|posted|published|words|story|text|created) by|by|von|par|por|di|door|av|autor(?:in)?\s*:|"
    r"authors?\s*:)[\s:]+(?P<name>.+)",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"\s*(?:[|·•●\u2014\u2013\d(]|\bon \w+day|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? ?\d).*$",
    re.IGNORECASE,
)
_AND = re.compile(r",? (?:and|und|et|y|e|&) |, ")
_WORD = r"[^\W\d_a-z][\w.'\u2019-]*"
_NAME = re.compile(
    rf"(?:[Tt]he )?{_WORD}(?: (?:(?:de|van|von|der|den|la|le|di|da|del|al|bin|ter|ten|e|y)\b ?)*{_WORD}){{0,4}}"
)
_NO_NAME = re.compile(
    r"https?://|www\.|@|\b(?:read|more|about|share|comments?|posts?|all|authors?|updated?|by|written|published|bio)\b",
    re.IGNORECASE,
)
_NO_AUTHOR = re.compile(r"https?://|www\.|@|^admin|^[a-z]+(?:\.[a-z]+)+$", re.IGNORECASE)
_PROFILE = re.compile(
    r"/(?:authors?|contributors?|profiles?|people|staff|by|writers?|autor(?:es)?|redaktion|team|experts?|users?|members?)/[\w.@%-]",
    re.IGNORECASE,
)
_AUTHOR = re.compile(r"(?:^|[\s_-])(?:author|byline)(?:$|[\s_-])", re.IGNORECASE)
_BESIDE = re.compile(r"bio|image|img|desc|box|about|more|social|date|title", re.IGNORECASE)


def page_author(article: Mapping[str, Any], metas: Mapping[str, str], lines: Sequence[Line], site: str) -> str:
    """The names, as a line; empty if the page names none. The address of a profile is no name."""
    named = [
        [one for one in map(_bare, declared) if one and not _NO_AUTHOR.search(one)]
        for declared in (_declared(article.get("author")), [metas.get("author", "")], [metas.get("article:author", "")])
    ]
    for some in named:
        if people := [one for one in some if one.casefold() != site.casefold()]:
            return ", ".join(dict.fromkeys(people))
    near = _near(lines)
    itself = site if any(named) else ""
    return near.get("by") or near.get("profile") or near.get("class") or itself or near.get("written by", "")


def _bare(text: str) -> str:
    return one_line(html.unescape(text), 200).strip(' ",')


def _declared(value: Any) -> Iterator[str]:
    for one in value[:_MOST] if isinstance(value, list) else [value]:
        yield text_of(one.get("name") if isinstance(one, dict) else one)


def _near(lines: Sequence[Line]) -> dict[str, str]:
    """The first name of each kind: after "by", in a link to a profile or an author's element, after "written by" anywhere."""
    found: dict[str, str] = {}
    for place, element, text in lines:
        said = _BY.fullmatch(text)
        if -_ABOVE <= place <= _BELOW:
            kind = "by" if said else _kind(element)
        else:
            kind = "written by" if said and " " in said["said"] else ""
        if kind and (name := _name(said["name"] if said else text)):
            found.setdefault(kind, name)
    return found


def _kind(element: Any) -> str:
    if _PROFILE.search(element.get("href") or ""):
        return "profile"
    marks = element.get("class") or ""
    return "class" if _AUTHOR.search(marks) and not _BESIDE.search(marks) else ""


def _name(text: str) -> str:
    name = _BEHIND.sub("", text).strip(" ,;:-\u2013\u2014|·\"'")
    return name if not _NO_NAME.search(name) and all(map(_NAME.fullmatch, _AND.split(name))) else ""
