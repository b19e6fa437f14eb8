import json
from collections.abc import Callable

import pytest

from actors.engine import youtube
from actors.engine.fetch import Fetched
from tests.actors.engine.conftest import failure

CHANNEL = "UC" + "a1-_" * 5 + "zz"
FEED = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"


def answers(body: str) -> Callable[[str], Fetched]:
    return lambda url: Fetched(url, 200, {}, body.encode())


def never(url: str) -> Fetched:
    raise AssertionError(f"{url} was fetched")


@pytest.mark.parametrize(
    ("url", "video"),
    [
        ("https://www.youtube.com/watch?v=abcdefghijk&t=4s", "abcdefghijk"),
        ("https://m.youtube.com/watch?v=abcdefghijk", "abcdefghijk"),
        ("https://youtu.be/abcdefghijk?si=x", "abcdefghijk"),
        ("https://www.youtube.com/shorts/abcdefghijk", "abcdefghijk"),
        ("https://www.youtube.com/live/abcdefghijk", "abcdefghijk"),
        ("https://www.youtube.com/@name", None),
        ("https://www.youtube.com/watch?v=short", None),
        ("https://a.example/watch?v=abcdefghijk", None),
        ("http://[", None),
    ],
)
def test_a_video_is_known_by_each_of_its_addresses(url: str, video: str | None) -> None:
    assert youtube.video_id(url) == video


@pytest.mark.parametrize(
    ("url", "feed"),
    [
        *dict.fromkeys((CHANNEL, f"https://www.youtube.com/channel/{CHANNEL}/videos", FEED), FEED).items(),
        ("https://www.youtube.com/playlist?list=UULFx", f"{youtube.FEED}?playlist_id=UULFx"),
        ("https://a.example/@name", "https://a.example/@name"),
    ],
)
def test_a_feed_that_the_address_tells_is_known_without_fetching(url: str, feed: str) -> None:
    assert youtube.feed_url(url, never) == feed


@pytest.mark.parametrize(
    "markup",
    [
        f'<link rel="canonical" href="https://www.youtube.com/channel/{CHANNEL}">',
        f'<script>{{"externalId":"{CHANNEL}"}}</script>',
        f'<meta itemprop="identifier" content="{CHANNEL}">',
    ],
)
def test_a_handle_is_looked_up_on_its_page_which_also_names_others(markup: str) -> None:
    other = "UC" + "b" * 22
    page = f'<a href="/channel/{other}">Another</a> "channelId":"{other}" {markup}'
    assert youtube.feed_url("https://www.youtube.com/@name", answers(page)) == FEED


def test_a_page_that_does_not_name_its_channel_is_no_feed() -> None:
    error = failure(youtube.feed_url, "https://www.youtube.com/@name", answers("<html></html>"))
    assert error.code == "not_a_feed"


def test_a_video_is_described_and_not_extracted() -> None:
    asked: list[str] = []

    def get(url: str) -> Fetched:
        asked.append(url)
        return Fetched(url, 200, {}, json.dumps({"title": "A video", "author_name": "Ada"}).encode())

    item = youtube.describe("abcdefghijk", get)
    assert (item.title, item.content_type, item.text) == ("A video", "video", None)
    assert item.author is not None
    assert item.author.name == "Ada"
    assert all("/oembed?" in url for url in asked)
