import calendar
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser
import pytest

from actors.demo import sample_site

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
URL = "http://127.0.0.1:8000"


def parse(body: bytes) -> Any:
    return feedparser.parse(body)  # type: ignore[attr-defined, no-untyped-call]


@pytest.fixture(scope="module")
def pages() -> dict[str, sample_site.Page]:
    return sample_site.render(URL, NOW)


def articles() -> list[sample_site.Entry]:
    return [entry for entry in sample_site.entries() if not entry.missing]


def test_one_feed_is_rss_2_and_one_is_atom(pages: dict[str, sample_site.Page]) -> None:
    kinds = {path: parse(page.body).version for path, page in pages.items() if path.endswith(".xml")}
    assert sorted(kinds.values()) == ["atom10", "rss20"]


def test_feeds_are_well_formed_and_hold_every_entry_once(pages: dict[str, sample_site.Page]) -> None:
    ids = []
    for path, page in pages.items():
        if path.endswith(".xml"):
            feed = parse(page.body)
            assert not feed.bozo
            ids += [entry.id for entry in feed.entries]
    assert len(ids) == len(set(ids)) == len(sample_site.entries()) == 15


def test_entries_are_as_old_as_the_catalogue_says(pages: dict[str, sample_site.Page]) -> None:
    feed = parse(pages["/commit-log/feed.xml"].body)
    youngest = min(entry.age for entry in sample_site.entries() if entry.publication.slug == "commit-log")
    seconds = calendar.timegm(feed.entries[0].published_parsed)
    assert datetime.fromtimestamp(seconds, UTC) == NOW - timedelta(hours=youngest)


def test_all_entries_are_younger_than_a_week() -> None:
    assert all(entry.age < 7 * 24 for entry in sample_site.entries())


@pytest.mark.parametrize("entry", articles(), ids=lambda entry: entry.slug)
def test_every_page_says_that_it_is_sample_data(entry: sample_site.Entry, pages: dict[str, sample_site.Page]) -> None:
    text = pages[entry.path].body.decode()
    assert "Sample data" in text
    assert "invented" in text
    assert "$" + "{" not in text


def test_the_missing_page_is_in_its_feed_and_nowhere_else(pages: dict[str, sample_site.Page]) -> None:
    (missing,) = (entry for entry in sample_site.entries() if entry.missing)
    assert missing.path not in pages
    assert URL + missing.path in pages[missing.publication.feed].body.decode()


def test_pages_are_the_same_each_time() -> None:
    assert sample_site.render(URL, NOW) == sample_site.render(URL, NOW)


def test_the_sample_holds_what_the_pipeline_looks_for(pages: dict[str, sample_site.Page]) -> None:
    bodies = [pages[entry.path].body.decode() for entry in articles()]
    assert sum("<pre><code" in body for body in bodies) >= 8
    assert sum("<blockquote" in body for body in bodies) >= 4
    assert sum("Breaking change:" in body for body in bodies) == 2
    assert sum("<figure" in body for body in bodies) == 1
    assert sum("<nav" in body and "<footer" in body for body in bodies) == len(bodies)


def shingles(slug: str) -> set[tuple[str, ...]]:
    words = sample_site._read(f"articles/{slug}.html").lower().split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def test_the_pair_is_a_near_duplicate_and_nothing_else_is() -> None:
    pair = {"retrieval-latency", "retrieval-latency-from-840-to-210"}
    slugs = [entry.slug for entry in articles()]
    sets = {slug: shingles(slug) for slug in slugs}
    for i, first in enumerate(slugs):
        for second in slugs[i + 1 :]:
            common = len(sets[first] & sets[second]) / len(sets[first] | sets[second])
            if {first, second} == pair:
                assert 0.7 < common < 0.95
            else:
                assert common < 0.1
