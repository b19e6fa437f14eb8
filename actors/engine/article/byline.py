"""Finds a page's author and date, in the page's metadata and near the heading."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from actors.engine.dates import read_date
from actors.engine.text import one_line, text_at, text_of

_LONGEST_LINE = 100
_NO_TEXT = frozenset({"script", "style", "title"})
_DATE_META = re.compile(
    r".*(?:datepublished|publish(?:ed)?date|publicationdate|pubdate|dateissued|publishedtime)"
    r"|(?:article|dc|dcterms|citation|sailthru)?(?:published|date|created)"
)
"""The letters in the name of a meta element that has the date of publication."""
_OF_ADDRESS = re.compile(r"/(20[012]\d)(?:/([01]?\d)/([0-3]?\d)|-([01]\d)-([0-3]\d))(?!\d)")
_CHANGED = re.compile(r"updat|modif|review|revis|edited", re.IGNORECASE)
_BEFORE_A_DATE = re.compile(
    r"^(?:(?:first |originally )?(?:published|posted|(?:last )?updated|date|release date|created|written)(?: on| at)?\W*|on )",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_A_DAY = timedelta(days=1)
_DATE_ABOVE, _DATE_BELOW, _FAR_BELOW = 15, 20, 60  # elements between the heading and a date
_MOST_AUTHORS = 10
_NAME_ABOVE, _NAME_BELOW = 25, 60  # elements between the heading and a name; chosen on one half of WCXB
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


class Line(NamedTuple):
    """Holds a short text. ``place`` counts the elements from the first heading to the text (without a heading, inf)."""

    place: float
    element: HtmlElement
    text: str


def short_lines(tree: HtmlElement) -> list[Line]:
    """Return the lines of at most 100 characters."""
    elements = list(tree.iter())
    said: dict[HtmlElement, str] = {}  # short texts by element, children first
    for element in reversed(elements):
        parts = [element.text or ""]
        for child in element:
            parts += (said.get(child), child.tail or "")
        if None not in parts and len(words := " ".join(" ".join(parts).split())) <= _LONGEST_LINE:
            said[element] = words
    headings = (at for at, element in enumerate(elements) if element.tag == "h1" and element.text_content().strip())
    heading = next(headings, -math.inf)
    return [
        Line(at - heading, element, text)
        for at, element in enumerate(elements)
        if (text := said.get(element)) and element.tag not in _NO_TEXT
    ]


def published(
    tree: HtmlElement,
    lines: Sequence[Line],
    metas: Mapping[str, str],
    article: Mapping[str, Any],
    other: Iterable[Mapping[str, Any]],
    url: str,
) -> datetime | None:
    """Return the time of publication that the page declares, or None if the page shows another day or the time is uncertain.

    A page may declare the time in the structured data of the ``article``, meta elements, ``other`` data, time elements,
    or its address.
    """
    pages = [text_at(one, "datePublished") for one in other]
    dated = (text for name, text in metas.items() if _DATE_META.fullmatch(re.sub(r"[\W_]+", "", name)))
    match = _OF_ADDRESS.search(urlsplit(url).path)
    address = "-".join(filter(None, match.groups())) if match else ""
    said = ((one, " ".join(one.text_content().split())) for one in tree.iter("time"))
    unchanged = ((one, text) for one, text in said if not _CHANGED.search(text))
    times = _read(one.get("datetime") or _BEFORE_A_DATE.sub("", text) for one, text in unchanged)
    named = [*_read([text_at(article, "datePublished"), *dated, *pages]), *times, *_read([address])]
    shown = [
        (moment.date(), place, _CHANGED.search(text) is not None)
        for place, _, text in lines
        if _YEAR.search(text) and (moment := read_date(_BEFORE_A_DATE.sub("", text))) is not None
    ]
    near = [(day, is_change) for day, place, is_change in shown if -_DATE_ABOVE <= place <= _DATE_BELOW]
    near_days = {day for day, _ in near}
    if not named:
        days = {day for day, is_change in near if not is_change} or near_days
        days = days or {day for day, _, is_change in shown if not is_change}
        return datetime.combine(days.pop(), time.min, UTC) if len(days) == 1 else None
    declared, of_times = named[0], {one.date() for one in times}
    if near:
        is_certain = _is_close(declared, near_days) or declared.date() in of_times
    else:
        late = {day for day, place, is_change in shown if is_change and _DATE_BELOW < place <= _FAR_BELOW} or of_times
        is_certain = len(late) != 1 or _is_close(declared, late)
    return declared if is_certain else None


def _is_close(moment: datetime, days: set[date]) -> bool:
    return any(abs(day - moment.date()) <= _A_DAY for day in days)


def _read(texts: Iterable[str]) -> list[datetime]:
    return [moment for text in texts if text and (moment := read_date(text)) is not None]


def page_author(article: Mapping[str, Any], metas: Mapping[str, str], lines: Sequence[Line], site: str) -> str:
    """Return the names of the authors on one line. The address of a profile is not returned as a name."""
    said = article.get("author")
    people = said[:_MOST_AUTHORS] if isinstance(said, list) else [said]
    own = [text_of(one.get("name") if isinstance(one, dict) else one) for one in people]
    itself = ""
    for declared in (own, [metas.get("author", "")], [metas.get("article:author", "")]):
        names = [one_line(html.unescape(one), 200).strip(' ",') for one in declared]
        names = [name for name in names if name and not _NO_AUTHOR.search(name)]
        if authors := [name for name in names if name.casefold() != site.casefold()]:
            return ", ".join(dict.fromkeys(authors))
        itself = site if names else itself
    near = _near(lines)
    return near.get("by") or near.get("profile") or near.get("class") or itself or near.get("written by", "")


def _near(lines: Sequence[Line]) -> dict[str, str]:
    """Return the first name of each kind. Far from the heading, a name must follow "written by" or the like."""
    found: dict[str, str] = {}
    for place, element, text in lines:
        said, marks, kind = _BY.fullmatch(text), element.get("class") or "", ""
        if not -_NAME_ABOVE <= place <= _NAME_BELOW:
            kind = "written by" if said and " " in said["said"] else ""
        elif said:
            kind = "by"
        elif _PROFILE.search(element.get("href") or ""):
            kind = "profile"
        elif _AUTHOR.search(marks) and not _BESIDE.search(marks):
            kind = "class"
        if kind and (name := _name(said["name"] if said else text)):
            found.setdefault(kind, name)
    return found


def _name(text: str) -> str:
    name = _BEHIND.sub("", text).strip(" ,;:-\u2013\u2014|·\"'")
    return name if not _NO_NAME.search(name) and all(map(_NAME.fullmatch, _AND.split(name))) else ""
