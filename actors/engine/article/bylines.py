"""When a page was published, and by whom, as far as it says so: its structured data, its metas, its markup, its address."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actors.engine.dates import read_date
from actors.engine.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from lxml.html import HtmlElement

_DATE_METAS = tuple(
    re.compile(names)
    for names in (
        "articlepublishedtime",
        ".*(?:datepublished|publisheddate|publishdate|publicationdate|pubdate|dateissued)",
        "(?:article|dc|dcterms|citation|sailthru)?(?:published|date|created)|.*publishedtime",
    )
)
"""The names of metas that date the publication, by their letters, the surest first."""
_OF_ADDRESS = re.compile(r"/(20[012]\d)(?:/([01]?\d)/([0-3]?\d)|-([01]\d)-([0-3]\d))(?!\d)")
_PUBLISHED = re.compile(r"publish|posted|entry-date|date|created")
_CHANGED = re.compile(r"updat|modif|review", re.IGNORECASE)
_BEFORE_A_DATE = re.compile(
    r"^(?:(?:first |originally )?(?:published|posted|(?:last )?updated|date|release date|created|written)(?: on| at)?\W*|on )",
    re.IGNORECASE,
)
_COMPANIES = frozenset({"Organization", "NewsMediaOrganization", "Corporation"})
_LONGEST = 60
_MOST_CHILDREN = 3
_NO_TEXT = frozenset({"script", "style", "title"})
_A_DAY = timedelta(days=1)
_ABOVE, _BELOW = 15, 20  # elements from the heading; chosen on the choosing half of WCXB
_PEOPLE = 10
_BY = re.compile(r"^(?:by|von|par|por|di|door|av)[\s:]+", re.IGNORECASE)
_NO_PERSON = re.compile(
    r"https?://|www\.|@|\b(?:inc|llc|ltd|gmbh|corp|admin|administrator|editorial|editors?|staff|team|newsroom|redaktion|"
    r"magazine|news|media)\b",
    re.IGNORECASE,
)


def published(
    tree: HtmlElement,
    metas: Mapping[str, str],
    article: Mapping[str, Any],
    other: Iterable[Mapping[str, Any]],
    url: str,
) -> datetime | None:
    """The moment of publication by the first that names one; none where the date that the page shows is another one.

    The page shows the date near its heading, or in its only time element. Where nothing names a moment, that is the date, or
    else the only one of all that stand by themselves. ``other`` are structured data about other things than articles.
    """
    said = [_text(one.get("datePublished")) for one in (article, *other)]
    match = _OF_ADDRESS.search(urlsplit(url).path)
    address = "-".join(filter(None, match.groups())) if match else ""
    times = _read(_times(tree))
    near, everywhere = _shown(tree)
    found = next(iter([*_read([said[0], *_dated(metas), *said[1:]]), *times, *_read([address])]), None)
    if found is None:
        return _only(near) or _only(everywhere)
    shown = near or ({times[0].date()} if len({one.date() for one in times}) == 1 else set())
    return None if shown and all(abs(day - found.date()) > _A_DAY for day in shown) else found


def _read(texts: Iterable[str]) -> list[datetime]:
    return [moment for text in texts if text and (moment := read_date(text)) is not None]


def _dated(metas: Mapping[str, str]) -> Iterator[str]:
    named = {re.sub(r"[\W_]+", "", name): text for name, text in metas.items()}
    for names in _DATE_METAS:
        yield from (text for name, text in named.items() if names.fullmatch(name))


def _times(tree: HtmlElement) -> Iterator[str]:
    """Of time elements, those that say that they are the publication's, then the first one of all."""
    times = [one for one in tree.iter("time") if not _CHANGED.search(one.text_content()[:_LONGEST])]
    of_publication = [one for one in times if one.get("itemprop") == "datePublished" or one.get("pubdate") is not None]
    by_class = [one for one in times if _PUBLISHED.search(one.get("class") or "")]
    for one in (*of_publication, *by_class, *times[:1]):
        yield one.get("datetime") or one.text_content()


def _shown(tree: HtmlElement) -> tuple[set[date], set[date]]:
    """The days that stand by themselves near the first heading, and those that do so anywhere."""
    heading: int | None = None
    days: list[tuple[int, date]] = []
    for at, element in enumerate(tree.iter()):
        if not isinstance(element.tag, str) or element.tag in _NO_TEXT:
            continue
        if heading is None and element.tag == "h1" and element.text_content().strip():
            heading = at
        if len(element) <= _MOST_CHILDREN and (element.text or len(element)):
            text = " ".join("".join(element.itertext()).split())
            if len(text) <= _LONGEST and any(map(str.isdigit, text)):
                moment = read_date(_BEFORE_A_DATE.sub("", text))
                if moment is not None:
                    days.append((at, moment.date()))
    near = {day for at, day in days if heading is not None and -_ABOVE <= at - heading <= _BELOW}
    return near, {day for _, day in days}


def _only(days: set[date]) -> datetime | None:
    return datetime.combine(next(iter(days)), time.min, UTC) if len(days) == 1 else None


def author(tree: HtmlElement, metas: Mapping[str, str], article: Mapping[str, Any], site: str) -> str:
    """Names of people; a company, a team or the address of a profile is none."""
    links = (one.text_content() for one in tree.iter("a") if "author" in (one.get("rel") or "").lower().split())
    for names in (
        list(_people(article.get("author"))),
        [metas.get("author", "")],
        [metas.get("article:author", "")],
        list(links)[:1],
    ):
        people = [name for one in names if (name := _person(one, site))]
        if people:
            return ", ".join(dict.fromkeys(people))
    return ""


def _people(value: Any) -> Iterator[str]:
    for one in value[:_PEOPLE] if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            kinds = one.get("@type")
            if _COMPANIES.isdisjoint(map(str, kinds if isinstance(kinds, list) else [kinds])):
                name = one.get("name")
                yield from _people(name) if isinstance(name, list) else [_text(name)]
        else:
            yield _text(one)


def _person(text: str, site: str) -> str:
    name = _BY.sub("", one_line(html.unescape(text), 200)).strip(' ",')
    return "" if _NO_PERSON.search(name) or name.casefold() == site.casefold() else name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
