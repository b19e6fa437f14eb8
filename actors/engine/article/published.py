"""The date of a page, read from its structured data, metas, markup and address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from actors.engine.article.lines import Line
from actors.engine.dates import read_date
from actors.engine.text import text_at

_DATE_META = re.compile(
    r".*(?:datepublished|publish(?:ed)?date|publicationdate|pubdate|dateissued|publishedtime)"
    r"|(?:article|dc|dcterms|citation|sailthru)?(?:published|date|created)"
)
"""The letters of the name of a meta that dates the publication."""
_OF_ADDRESS = re.compile(r"/(20[012]\d)(?:/([01]?\d)/([0-3]?\d)|-([01]\d)-([0-3]\d))(?!\d)")
_CHANGED = re.compile(r"updat|modif|review|revis|edited", re.IGNORECASE)
_IS_PUBLICATION = re.compile(r"publi|post|written|creat|release", re.IGNORECASE)
_BEFORE_A_DATE = re.compile(
    r"^(?:(?:first |originally )?(?:published|posted|(?:last )?updated|date|release date|created|written)(?: on| at)?\W*|on )",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_A_DAY = timedelta(days=1)
_ABOVE, _BELOW, _FAR_BELOW = 15, 20, 60  # elements from the heading; chosen on the choosing half of WCXB


def published(
    tree: HtmlElement,
    lines: Sequence[Line],
    metas: Mapping[str, str],
    article: Mapping[str, Any],
    other: Iterable[Mapping[str, Any]],
    url: str,
) -> datetime | None:
    """The moment of publication, from the declared and the visible dates; None if it is uncertain.

    Args:
        tree: The page.
        lines: Its short texts.
        metas: Its metas by name.
        article: The structured data of its article.
        other: Structured data that describes no article.
        url: The page's address, which may have the date.
    """
    pages = [text_at(one, "datePublished") for one in other]
    dated = (text for name, text in metas.items() if _DATE_META.fullmatch(re.sub(r"[\W_]+", "", name)))
    match = _OF_ADDRESS.search(urlsplit(url).path)
    address = "-".join(filter(None, match.groups())) if match else ""
    times = _read(_times(tree))
    declared = [*_read([text_at(article, "datePublished"), *dated, *pages]), *times, *_read([address])]
    return _agreed(next(iter(declared), None), times, list(_shown(lines)))


def _agreed(declared: datetime | None, times: Sequence[datetime], shown: Sequence[Shown]) -> datetime | None:
    """The declared moment if the page shows no other day; else a day marked as the publication's, or None."""
    near = [one for one in shown if -_ABOVE <= one.place <= _BELOW]
    changed = {one.day for one in near if one.is_change}
    published = {one.day for one in near if one.is_publication}
    unlabelled = {one.day for one in near if not one.is_change}
    if changed and len(published) == 1:
        return _only(published)
    if declared is None:
        return _only(unlabelled or changed or {one.day for one in shown if not one.is_change})
    if not near:
        late = {one.day for one in shown if one.is_change and _BELOW < one.place <= _FAR_BELOW}
        others = late or {one.date() for one in times}
        return declared if len(others) != 1 or _is_close(declared, others) else None
    if _is_close(declared, {one.day for one in near}):
        return declared
    return declared if times and times[0].date() == declared.date() else None


def _is_close(moment: datetime, days: set[date]) -> bool:
    return any(abs(day - moment.date()) <= _A_DAY for day in days)


def _read(texts: Iterable[str]) -> list[datetime]:
    return [moment for text in texts if text and (moment := read_date(text)) is not None]


def _times(tree: HtmlElement) -> Iterator[str]:
    """The time elements that tell of no change."""
    for one in tree.iter("time"):
        text = " ".join(one.text_content().split())
        if not _CHANGED.search(text):
            yield one.get("datetime") or _BEFORE_A_DATE.sub("", text)


class Shown(NamedTuple):
    """A day that stands by itself on the page, as many elements below the first heading; and what its text marks it as."""

    day: date
    place: float
    is_change: bool
    is_publication: bool


def _shown(lines: Iterable[Line]) -> Iterator[Shown]:
    for place, _, text in lines:
        if _YEAR.search(text) and (moment := read_date(_BEFORE_A_DATE.sub("", text))) is not None:
            is_change = _CHANGED.search(text) is not None
            is_publication = not is_change and _IS_PUBLICATION.search(text) is not None
            yield Shown(moment.date(), place, is_change, is_publication)


def _only(days: set[date]) -> datetime | None:
    return datetime.combine(next(iter(days)), time.min, UTC) if len(days) == 1 else None
