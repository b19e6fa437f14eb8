"""Full text against what people marked, in the half that settings were chosen by and in the one that is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.engine.article.full_text import readings
from actors.engine.metadata import read
from actors.engine.pages import parse_page, read_page
from actors.engine.text import decode
from tests.quality.corpora import WHOLE, agreement, articles, both_halves, mean, needs_corpora, wcxb

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.quality.corpora import Half, Page

LEAST_HAD = 0.5


@needs_corpora
@pytest.mark.quality
@both_halves
@pytest.mark.parametrize(
    ("name", "pages", "least", "most_below", "most_cut"),
    [("articles", articles, 0.965, 1, 0), ("WCXB's articles", wcxb, 0.935, 9, 1)],
    ids=["articles", "wcxb"],
)
@pytest.mark.timeout(600)
def test_articles_are_extracted_as_people_marked_them(
    half: Half,
    name: str,
    pages: Callable[[Half], list[Page]],
    least: float,
    most_below: int,
    most_cut: int,
    figure: Callable[[str, float, float], None],
) -> None:
    marked = [one for one in pages(half) if one.text]
    found = [agreement(read_page(one.body, one.url, "text/html").text or "", one.text) for one in marked]
    whole = mean(found)
    cut = [one.url for one, taken in zip(marked, found, strict=True) if taken.recall < LEAST_HAD <= best_recall(one)]
    below = sum(one.f1 < LEAST_HAD for one in found)
    figure(f"full text, {len(found)} of {name} ({half} half), precision", whole.precision, 0)
    figure(f"full text, {len(found)} of {name} ({half} half), recall", whole.recall, 0)
    figure(f"full text, {len(found)} of {name} ({half} half), pages at .5 and above", len(found) - below, 0)
    least = 0 if half == "choosing" else least if WHOLE else least - 0.02
    figure(f"full text, {len(found)} of {name} ({half} half), F1", whole.f1, least)
    figure(
        f"full text, {len(found)} of {name} ({half} half), pages not cut beside another reading",
        len(found) - len(cut),
        len(found) - most_cut if half == "reporting" else 0,
    )
    assert below <= most_below or half == "choosing"


def best_recall(page: Page) -> float:
    tree = parse_page(decode(page.body, "text/html"))
    body = read(tree, page.url).body
    return max(agreement(one.text, page.text).recall for one in readings(tree, page.url, body))
