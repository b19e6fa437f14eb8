"""The extracted highlights of the bundled articles are compared with a reader's list.

A text without code shows at most its best three sentences, so the recall for such a text is lower.
"""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.ai.markdown import article as parsed
from actors.demo.sample_site import render
from actors.engine.pages import read_page
from actors.insights.candidates import Candidate
from actors.insights.selection import Selection, has_code, highlights

BASE = "http://127.0.0.1:1"
LIST = tomllib.loads(Path(__file__).with_name("reader_list.toml").read_text(encoding="utf-8"))["article"]


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    """Return the Markdown of each bundled article by its slug, read as fetch-content reads pages."""
    pages = render(BASE, datetime(2026, 11, 20, tzinfo=UTC))
    return {
        path.rsplit("/", 1)[-1]: read_page(page.encode(), BASE + path, "text/html; charset=utf-8").markdown or ""
        for path, page in pages.items()
        if path.rsplit("/", 1)[-1] in {article["slug"] for article in LIST}
    }


def is_kept(candidate: Candidate, item: dict[str, Any]) -> bool:
    return item["text"] in candidate.quote and candidate.kind in item["kinds"]


@pytest.mark.quality
def test_highlights_are_what_a_reader_would_keep(documents: dict[str, str], figure: Any) -> None:
    rows, listed, kept = [], 0, 0
    for article in LIST:
        found = highlights(documents[article["slug"]], Selection())
        right = [each for each in found if any(is_kept(each, item) for item in article["keep"])]
        missed = [item for item in article["keep"] if not any(is_kept(each, item) for each in found)]
        rows.append((article["slug"], len(found), len(right), len(article["keep"]), len(missed)))
        if has_code(parsed(documents[article["slug"]])):
            listed += len(article["keep"])
            kept += len(article["keep"]) - len(missed)
        for each in found:
            if each not in right:
                print(f"\n  {article['slug']}: not in the list, {each.kind}: {each.summary}")
        for item in missed:
            print(f"\n  {article['slug']}: missed, {'|'.join(item['kinds'])}: {item['text']}")
    sums = [sum(int(row[column]) for row in rows) for column in range(1, 5)]
    precision, recall = sums[1] / sums[0], kept / listed
    print(f"\n{'article':32} found right  list missed")
    for row in rows:
        print(f"{row[0]:32} {row[1]:5} {row[2]:5} {row[3]:5} {row[4]:6}")
    print(f"{sums[1]} of {sums[0]} right, {sums[2] - sums[3]} of {sums[2]} found")
    figure("highlights against a reader's list, precision", precision, 0.8)
    figure("highlights against a reader's list, recall", 1 - sums[3] / sums[2], 0.6)
    figure("highlights against a reader's list, recall of texts with code", recall, 0.7)


def test_every_item_of_the_list_stands_in_its_article(documents: dict[str, str]) -> None:
    for article in LIST:
        for item in article["keep"]:
            assert item["text"] in documents[article["slug"]], (article["slug"], item["text"])
