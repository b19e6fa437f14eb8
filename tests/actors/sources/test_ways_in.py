"""No way into the pipeline leads to an address that is not public: one-off, feed, item of a feed, redirect, canonical link, Engine server."""

from collections.abc import Iterator
from typing import Any

import pytest

from actors.engine import Settings
from actors.engine.client import HttpEngine
from actors.engine.contract import Engine
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure
from tests.actors.engine.test_engine_server import serving
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.actors.sources.conftest import Pipeline

#: A form for each row of the table of networks, and each spelling by which one slips past a check of the text.
HOSTS = [
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "198.18.0.1",
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "user@127.0.0.1", "①②⑦.⓪.⓪.①",
    "[::]", "[::1]", "[::ffff:10.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "[fc00::1]", "[fe80::1]", "[ff02::1]",
]  # fmt: skip
REFUSED = {"blocked_address", "invalid_url"}


@pytest.fixture
def stranger() -> LocalEngine:
    """An engine as in production: no network is allowed that is not public."""
    return LocalEngine(Settings())


@pytest.fixture
def remote(stranger: LocalEngine) -> Iterator[HttpEngine]:
    """The same behind the Engine server."""
    with serving(stranger) as url:
        yield HttpEngine(url)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("way", ["local", "server"])
def test_an_address_that_is_not_public_is_refused_as_page_and_as_feed(
    stranger: LocalEngine, remote: HttpEngine, host: str, way: str
) -> None:
    engine: Engine = stranger if way == "local" else remote
    for fetch in (engine.fetch_item, engine.fetch_source):
        error = failure(fetch, f"http://{host}:81/latest/meta-data")
        assert error.code in REFUSED
        assert not error.transient


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::ffff:10.0.0.1]", "[fd00::1]"])
def test_the_items_of_a_feed_are_refused_one_by_one(pipeline: Pipeline, site: Site, add_source: Any, host: str) -> None:
    site.pages["/good"] = Answer(page("Good", paragraphs("the good one")))
    site.pages["/feed"] = Answer(rss(("a", "bad", f"http://{host}/admin"), ("b", "good", f"{site.url}/good")))
    pipeline.run("ingest-source", source_id=add_source(f"{site.url}/feed"))
    pipeline.drain()
    assert pipeline.outcomes() == {"blocked_address": 1, "stored": 1}


def test_a_feed_is_not_followed_to_a_private_address(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    site.pages["/feed"] = Answer(status=301, headers={"Location": "http://10.0.0.1/feed"})
    source = add_source(f"{site.url}/feed")
    pipeline.run("ingest-source", source_id=source)
    assert pipeline.query("SELECT url FROM sources WHERE id = %s", str(source)) == [(f"{site.url}/feed",)]


def test_a_canonical_link_is_never_fetched(pipeline: Pipeline, site: Site, add_item: Any) -> None:
    links = '<link rel="canonical" href="{url}/secret"><meta property="og:url" content="{url}/secret">'
    site.pages["/a"] = Answer(page("A", paragraphs("a page"), links.format(url=site.url)))
    site.pages["/b"] = Answer(page("B", paragraphs("b page"), links.format(url="http://169.254.169.254")))
    pipeline.fetch(add_item(f"{site.url}/a"), add_item(f"{site.url}/b"))
    assert pipeline.outcomes() == {"stored": 2}
    assert sorted(asked.path for asked in site.asked) == ["/a", "/b"]
