"""When a page was published, and by whom, as far as it says so: its structured data, its metas, its markup, its address."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actors.engine.dates import read_date
from actors.engine.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from lxml.html import HtmlElement

_DATE_METAS = (
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "date",
    "pubdate",
    "publishdate",
    "publish-date",
    "publish_date",
    "published_time",
    "article.published",
    "article:published",
    "dc.date",
    "dc.date.issued",
    "dcterms.date",
    "dcterms.created",
    "sailthru.date",
    "parsely-pub-date",
    "citation_publication_date",
    "citation_date",
)
_OF_ADDRESS = re.compile(r"/(20[012]\d)/([01]?\d)/([0-3]?\d)(?:/|-|$)")
_PUBLISHED = re.compile(r"publish|posted|entry-date|date|created")
_CHANGED = re.compile(r"updat|modif|review", re.IGNORECASE)
_BEFORE_A_DATE = re.compile(
    r"^(?:(?:first |originally )?(?:published|posted|(?:last )?updated|date|release date|created|written)(?: on| at)?\W*|on )",
    re.IGNORECASE,
)
_COMPANIES = frozenset({"Organization", "NewsMediaOrganization", "Corporation"})
_LONGEST = 60
_MOST_CHILDREN = 3
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
    """The moment of publication by the first that names one; none where the page's only time element contradicts it by days.

    ``other`` are structured data about other things than articles.
    """
    said = [_text(one.get("datePublished")) for one in (article, *other)]
    declared = (said[0], *(metas.get(name, "") for name in _DATE_METAS), *said[1:])
    match = _OF_ADDRESS.search(urlsplit(url).path)
    shown = _read(_times(tree))
    found = next(iter([*_read(declared), *shown, *_read(["-".join(match.groups())] if match else [])]), None)
    if found is None:
        alone = set(_shown(tree))
        return alone.pop() if len(alone) == 1 else None
    days = {moment.date() for moment in shown}
    return None if len(days) == 1 and abs(days.pop() - found.date()) > timedelta(days=1) else found


def _read(texts: Iterable[str]) -> list[datetime]:
    return [moment for text in texts if text and (moment := read_date(text)) is not None]


def _times(tree: HtmlElement) -> Iterator[str]:
    """Of time elements, those that say that they are the publication's, then the first one of all."""
    times = [time for time in tree.iter("time") if not _CHANGED.search(time.text_content()[:_LONGEST])]
    of_publication = [one for one in times if one.get("itemprop") == "datePublished" or one.get("pubdate") is not None]
    by_class = [one for one in times if _PUBLISHED.search(one.get("class") or "")]
    for time in (*of_publication, *by_class, *times[:1]):
        yield time.get("datetime") or time.text_content()


def _shown(tree: HtmlElement) -> Iterator[datetime]:
    """Dates that stand by themselves in the text. If there is one alone, it is the page's."""
    for element in tree.iter():
        if (
            isinstance(element.tag, str)
            and len(element) <= _MOST_CHILDREN
            and element.tag not in {"script", "style", "title"}
        ):
            text = " ".join("".join(element.itertext()).split()) if element.text or len(element) else ""
            if len(text) <= _LONGEST and any(map(str.isdigit, text)):
                moment = read_date(_BEFORE_A_DATE.sub("", text))
                if moment is not None:
                    yield moment.replace(hour=0, minute=0, second=0, microsecond=0)


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
