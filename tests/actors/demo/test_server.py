from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from actors.demo.server import SampleSite


@pytest.fixture(scope="module")
def site() -> Iterator[SampleSite]:
    with SampleSite(datetime(2026, 11, 25, 12, 0, tzinfo=UTC)) as running:
        yield running


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}, trust_env=False)


def test_it_listens_on_loopback_alone(site: SampleSite) -> None:
    assert site.url.startswith("http://127.0.0.1:")


def test_both_feeds_and_every_page_answer(site: SampleSite) -> None:
    assert len(site.feeds) == 2
    for path in site.pages:
        assert get(site.url + path).status_code == 200


def test_the_missing_page_answers_404(site: SampleSite) -> None:
    assert get(f"{site.url}/commit-log/migration-that-never-ended").status_code == 404


def test_a_query_string_changes_nothing(site: SampleSite) -> None:
    page = get(f"{site.url}/commit-log/retry-budget?utm_source=rss")
    assert page.status_code == 200
    assert "A retry budget" in page.text


def test_a_known_etag_is_answered_by_304_without_a_body(site: SampleSite) -> None:
    first = get(site.feeds[0])
    again = get(site.feeds[0], If_None_Match=first.headers["etag"])
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]


def test_another_etag_is_answered_in_full(site: SampleSite) -> None:
    assert get(site.feeds[0], If_None_Match='"other"').status_code == 200


def test_answers_are_counted_by_path_and_status(site: SampleSite) -> None:
    before = site.answers["/robots.txt", 200]
    get(f"{site.url}/robots.txt")
    assert site.answers["/robots.txt", 200] == before + 1
