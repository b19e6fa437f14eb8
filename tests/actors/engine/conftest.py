from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from actors.engine import Settings
from actors.engine.contract import ContentItem, EngineError
from actors.engine.feeds import read_feed
from actors.engine.fetch import Fetcher
from actors.engine.local import LocalEngine
from tests.actors.scripted_site import rss

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def failure(call: Callable[..., object], *given: Any, **named: Any) -> EngineError:
    with pytest.raises(EngineError) as caught:
        call(*given, **named)
    return caught.value


def only(feed: str, url: str = "https://feeds.example/news.xml") -> ContentItem:
    """Read a feed with exactly one item, and return the item."""
    (item,) = read_feed(feed.encode(), url, now=NOW).items or []
    return item


def entry(extra: str = "", *, guid: str = "g", title: str = "t", link: str = "https://a.example/1") -> ContentItem:
    """Make and read an RSS feed with one item, and return the item."""
    return only(rss((guid, title, link), extra=extra))


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher("tests/1", (ip_network("127.0.0.0/8"),))


@pytest.fixture
def settings() -> Settings:
    """Allow loopback, and make limits and timeouts small."""
    given = {"allow_networks": ["127.0.0.0/8"], "contact": "https://news.example/bot", "page_bytes": 300_000}
    return Settings.model_validate({**given, "page_timeout": "2s", "feed_timeout": "2s"})


@pytest.fixture
def engine(settings: Settings) -> LocalEngine:
    return LocalEngine(settings)
