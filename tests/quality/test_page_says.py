"""Titles, dates and authors against what people marked on WCXB's articles."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from actors.engine.metadata import read
from actors.engine.pages import parse_page
from actors.engine.text import decode
from tests.quality.corpora import WHOLE, both_halves, needs_corpora, wcxb

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.quality.corpora import Half

_SAME_MARKS = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")


@needs_corpora
@pytest.mark.quality
@both_halves
@pytest.mark.timeout(600)
def test_titles_dates_and_authors_are_those_that_were_marked(
    half: Half, figure: Callable[[str, float, float], None]
) -> None:
    pages = wcxb(half, every=4)
    dates: Counter[str] = Counter()
    authors: Counter[str] = Counter()
    titles = 0
    for page in pages:
        said = read(parse_page(decode(page.body, "text/html")), page.url)
        titles += plain(said.title) == plain(page.title)
        if page.date:
            dates[verdict(said.published_at, page.date)] += 1
        if page.author:
            right = plain(said.author).casefold() == plain(page.author).casefold()
            authors["right" if right else "wrong" if said.author else "none"] += 1
    is_bound = half == "reporting"
    figure(f"titles of {len(pages)} pages ({half} half), exact", titles / len(pages), 0.8 if is_bound else 0)
    figure(
        f"dates of {dates.total()} pages ({half} half), right",
        dates["right"] / dates.total(),
        (0.75 if WHOLE else 0.7) if is_bound else 0,
    )
    figure(
        f"dates of {dates.total()} pages ({half} half), not wrong",
        1 - dates["wrong"] / dates.total(),
        0.95 if is_bound else 0,
    )
    figure(f"authors of {authors.total()} pages ({half} half), right", authors["right"] / authors.total(), 0)
    figure(f"authors of {authors.total()} pages ({half} half), not wrong", 1 - authors["wrong"] / authors.total(), 0)


def plain(text: str) -> str:
    """With one kind of quotation mark, of dash and of space."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SAME_MARKS).split())


def verdict(moment: datetime | None, day: str) -> str:
    """Whether it is that day somewhere on Earth at this moment; of a date without a time, whether it is that one."""
    if moment is None:
        return "none"
    has_time = bool(moment.hour or moment.minute or moment.second)
    days = {(moment + timedelta(hours=hours)).date() for hours in ((-12, 0, 14) if has_time else (0,))}
    return "right" if day in {one.isoformat() for one in days} else "wrong"
