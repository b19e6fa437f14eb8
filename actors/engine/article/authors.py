"""The authors of a page: people whom its structured data or metas name, else its byline, else a team or company they name."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from actors.engine.text import one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actors.engine.article.lines import Line

_MOST = 10
_ABOVE, _BELOW = 25, 60  # elements from the heading; chosen on the choosing half of WCXB, as the patterns are
_BY = re.compile(
    r"\W*(?P<said>(?:written|posted|published|reported|words|story|text|article|authored|created|this (?:post|article) (?:is|was)"
    r" written) by|by|von|par|por|di|door|av|autor(?:in)?\s*:|authors?\s*:)[\s:]+(?P<name>.+)",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"\s*(?:[|·•●\u2014\u2013\d(]|,? (?:last )?updated\b|,? (?:published|posted)\b|\bon (?:\w+day|[a-z]{3,9} \d)|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? ?\d).*$",
    re.IGNORECASE,
)
_AND = re.compile(r",? (?:and|und|et|y|e|&) |, ")
_WORD = r"[^\W\d_a-z][\w.'\u2019-]*"
_NAME = re.compile(
    rf"(?:[Tt]he )?{_WORD}(?: (?:(?:de|van|von|der|den|la|le|di|da|del|al|bin|ter|ten|e|y)\b ?)*{_WORD}){{0,4}}"
)
_NO_NAME = re.compile(
    r"https?://|www\.|@|\b(?:read|more|about|share|comments?|posts?|all|view|authors?|min(?:utes?)?|updated?|blog|written|by|published|posted|"
    r"subscribe|follow|contributor|guest|admin(?:istrator)?|reviewed|newsletter|sign|home|skip|menu|search|contact|login)\b",
    re.IGNORECASE,
)
_NO_PERSON = re.compile(
    r"https?://|www\.|@|^[a-z]+(?:\.[a-z]+)+$|\b(?:inc|llc|ltd|gmbh|corp|admin|administrator|editorial|editors?|staff|team|newsroom|redaktion|"
    r"magazine|news|media)\b",
    re.IGNORECASE,
)
_NO_AUTHOR = re.compile(r"https?://|www\.|@|^admin|^[a-z]+(?:\.[a-z]+)+$", re.IGNORECASE)
_PROFILE = re.compile(
    r"/(?:authors?|contributors?|profiles?|people|staff|by|journalists?|writers?|auteurs?|autor(?:es)?|redaktion|team|experts?|users?|"
    r"members?|editors?)/[\w.@%-]",
    re.IGNORECASE,
)
_AUTHOR = re.compile(
    r"(?:^|[\s_-])(?:author|byline|writer|auteur|autor)(?:$|[\s_-])|author__?name|bylinename", re.IGNORECASE
)
_BESIDE = re.compile(
    r"bio|avatar|image|img|photo|comment|related|card|social|desc|title|role|date|box|about|follow|more|job|position",
    re.IGNORECASE,
)
_ATTRIBUTES = ("class", "id", "itemprop", "rel")


def page_author(article: Mapping[str, Any], metas: Mapping[str, str], lines: Sequence[Line], site: str) -> str:
    """The names, as a line; empty if the page names none. The address of a profile is no name."""
    for declared in (_declared(article.get("author")), [metas.get("author", "")], [metas.get("article:author", "")]):
        bare = map(_bare, declared)
        if names := [one for one in bare if one and not _NO_PERSON.search(one) and one.casefold() != site.casefold()]:
            return ", ".join(dict.fromkeys(names))
    near = _near(lines)
    named = near.get("by") or near.get("profile") or near.get("class")
    return named or _team(article, metas) or near.get("written by", "")


def _team(article: Mapping[str, Any], metas: Mapping[str, str]) -> str:
    declared = (_bare(one) for one in (*_declared(article.get("author")), metas.get("author", "")))
    return next((name for name in declared if name and not _NO_AUTHOR.search(name)), "")


def _bare(text: str) -> str:
    return one_line(html.unescape(text), 200).strip(' ",')


def _declared(value: Any) -> Iterator[str]:
    for one in value[:_MOST] if isinstance(value, list) else [value]:
        name = one.get("name") if isinstance(one, dict) else one
        yield from _declared(name) if isinstance(name, list) else [text_of(name)]


def _near(lines: Sequence[Line]) -> dict[str, str]:
    """The nearest name of each kind: after "by", in a link to a profile or an author's element, after "written by" anywhere."""
    found: dict[str, tuple[float, str]] = {}
    for place, element, text in lines:
        distance = abs(place)
        is_near = -_ABOVE <= place <= _BELOW
        said = _BY.fullmatch(text) if element.tag != "h1" else None
        is_strong = said is not None and " " in said["said"]
        if element.tag == "h1" or not (is_near or is_strong):
            continue
        kind = _kind(element) if said is None else "by" if is_near else "written by"
        if not kind or not (name := _name(said["name"] if said else text)):
            continue
        may_be_one_word = (
            is_strong or (kind == "by" and distance <= _ABOVE) or "author" in (element.get("class") or "").split()
        )
        if (" " in name or may_be_one_word) and (kind not in found or distance < found[kind][0]):
            found[kind] = (distance, name)
    return {kind: name for kind, (_, name) in found.items()}


def _kind(element: Any) -> str:
    marks = " ".join(filter(None, map(element.get, _ATTRIBUTES)))
    if element.tag == "a" and _PROFILE.search(element.get("href") or ""):
        return "profile"
    return "class" if marks and _AUTHOR.search(marks) and not _BESIDE.search(marks) else ""


def _name(text: str) -> str:
    name = _BEHIND.sub("", text).strip(" ,;:-\u2013\u2014|·\"'")
    if not name or _NO_NAME.search(name):
        return ""
    return name if all(map(_NAME.fullmatch, _AND.split(name))) else ""
