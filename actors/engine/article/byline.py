"""Finds a page's author and date in the page's metadata and near its heading."""

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
from actors.patterns import patterns

_LONGEST_LINE = 100
_NO_TEXT = frozenset({"script", "style", "title"})
_OF_ADDRESS = re.compile(r"/(20[012]\d)(?:/([01]?\d)/([0-3]?\d)|-([01]\d)-([0-3]\d))(?!\d)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DATE_ABOVE, _DATE_BELOW, _FAR_BELOW = 15, 20, 60  # elements between the heading and a date
_MOST_AUTHORS = 10
_NAME_ABOVE, _NAME_BELOW = 25, 60  # elements between the heading and a name; chosen on one half of WCXB
_SAYS = patterns("actors.engine.article", "byline.txt")


class Line(NamedTuple):
    """Holds a short text. ``place`` is its distance from the first heading in elements (``inf`` without a heading)."""

    place: float
    element: HtmlElement
    text: str


def short_lines(tree: HtmlElement) -> list[Line]:
    """Return the texts of elements that have at most 100 characters."""
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
    """Return the time of publication, or None if it is uncertain, for example if other days stand near the heading.

    The first of these places that declares a time counts: the structured data of the ``article``, meta elements,
    ``other`` structured data, time elements, the address. If none does, a day in the text counts if it is the only one.
    """
    pages = [text_at(one, "datePublished") for one in other]
    dated = (text for name, text in metas.items() if _SAYS["date_meta"].fullmatch(re.sub(r"[\W_]+", "", name)))
    match = _OF_ADDRESS.search(urlsplit(url).path)
    address = "-".join(filter(None, match.groups())) if match else ""
    said = ((one, " ".join(one.text_content().split())) for one in tree.iter("time"))
    unchanged = ((one, text) for one, text in said if not _SAYS["changed"].search(text))
    times = _read(one.get("datetime") or _SAYS["before_a_date"].sub("", text) for one, text in unchanged)
    named = [*_read([text_at(article, "datePublished"), *dated, *pages]), *times, *_read([address])]
    shown = [
        (moment.date(), place, _SAYS["changed"].search(text) is not None)
        for place, _, text in lines
        if _YEAR.search(text) and (moment := read_date(_SAYS["before_a_date"].sub("", text))) is not None
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
    return any(abs(day - moment.date()) <= timedelta(days=1) for day in days)


def _read(texts: Iterable[str]) -> list[datetime]:
    return [moment for text in texts if text and (moment := read_date(text)) is not None]


def page_author(article: Mapping[str, Any], metas: Mapping[str, str], lines: Sequence[Line], site: str) -> str:
    """Return the names of the authors on one line. A link to a profile does not count as a name."""
    said = article.get("author")
    people = said[:_MOST_AUTHORS] if isinstance(said, list) else [said]
    own = [text_of(one.get("name") if isinstance(one, dict) else one) for one in people]
    itself = ""
    for declared in (own, [metas.get("author", "")], [metas.get("article:author", "")]):
        names = [one_line(html.unescape(one), 200).strip(' ",') for one in declared]
        names = [name for name in names if name and not _SAYS["no_author"].search(name)]
        if authors := [name for name in names if name.casefold() != site.casefold()]:
            return ", ".join(dict.fromkeys(authors))
        itself = site if names else itself
    near = _near(lines)
    return near.get("by") or near.get("profile") or near.get("class") or itself or near.get("written by", "")


def _near(lines: Sequence[Line]) -> dict[str, str]:
    """Return an author's name for each kind of hint. Far from the heading, only a hint such as "written by" counts."""
    found: dict[str, str] = {}
    for place, element, text in lines:
        said, marks, kind = _SAYS["by"].fullmatch(text), element.get("class") or "", ""
        if not -_NAME_ABOVE <= place <= _NAME_BELOW:
            kind = "written by" if said and " " in said["said"] else ""
        elif said:
            kind = "by"
        elif _SAYS["profile"].search(element.get("href") or ""):
            kind = "profile"
        elif _SAYS["author"].search(marks) and not _SAYS["beside"].search(marks):
            kind = "class"
        if kind and (name := _name(said["name"] if said else text)):
            found.setdefault(kind, name)
    return found


def _name(text: str) -> str:
    name = _SAYS["behind_a_name"].sub("", text).strip(" ,;:-\u2013\u2014|·\"'")
    return (
        name
        if not _SAYS["no_name"].search(name) and all(map(_SAYS["name"].fullmatch, _SAYS["and"].split(name)))
        else ""
    )
