import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from actors.engine import Settings, youtube
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetched
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure, only
from tests.actors.scripted_site import Answer, Site, as_json, atom, channel

CHANNEL = "UC" + "a1-_" * 5 + "zz"
FEED = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"


def answers(body: str) -> Callable[[str], Fetched]:
    return lambda url: Fetched(url, 200, {}, body.encode())


def never(url: str) -> Fetched:
    raise AssertionError(f"{url} was fetched")


@pytest.mark.parametrize(
    ("url", "video"),
    [
        ("https://www.youtube.com/watch?v=abcdefghijk&t=4s", "abcdefghijk"), ("http://[", None),
        ("https://m.youtube.com/watch?v=abcdefghijk", "abcdefghijk"), ("https://www.youtube.com/@name", None),
        ("https://youtu.be/abcdefghijk?si=x", "abcdefghijk"), ("https://www.youtube.com/watch?v=short", None),
        ("https://www.youtube.com/shorts/abcdefghijk", "abcdefghijk"), ("https://a.example/watch?v=abcdefghijk", None),
        ("https://www.youtube.com/live/abcdefghijk", "abcdefghijk"),
    ],
)  # fmt: skip
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
    error = failure(youtube.feed_url, "https://www.youtube.com/@name", answers(page.replace(markup, "")))
    assert error.code == "not_a_feed"


def test_a_video_is_described_and_not_extracted() -> None:
    asked: list[str] = []

    def get(url: str) -> Fetched:
        asked.append(url)
        return Fetched(url, 200, {}, json.dumps({"title": "A video", "author_name": "Ada"}).encode())

    item = youtube.describe("abcdefghijk", get)
    assert (item.title, item.content_type, item.text) == ("A video", "video", None)
    assert (item.author and item.author.name) == "Ada"
    assert all("/oembed?" in url for url in asked)


def video(duration: str = "PT1H2M3S") -> Answer:
    told = {"title": "A video", "description": "What it shows", "channelTitle": "A channel"}
    told |= {"defaultAudioLanguage": "en-US", "publishedAt": "2026-11-01T10:00:00Z"}
    return as_json({"items": [{"id": "abcdefghijk", "snippet": told, "contentDetails": {"duration": duration}}]})


LISTED = f"/playlistItems?part=contentDetails&playlistId=UU{CHANNEL.removeprefix('UC')}&maxResults=50"
VIDEOS = "/videos?part=snippet%2CcontentDetails&id=abcdefghijk&maxResults=50"


@pytest.fixture
def engine(site: Site) -> LocalEngine:
    """Make an engine with a key for the API, which is the site; the API knows one video."""
    site.pages[LISTED] = as_json({"items": [{"contentDetails": {"videoId": "abcdefghijk"}}]})
    site.pages[VIDEOS] = video()
    settings = Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "youtube_api": site.url})
    return LocalEngine(settings.model_copy(update={"youtube_key": SecretStr("k3y")}), lambda _h, _p: ["127.0.0.1"])


def test_a_channel_lists_its_videos_with_lengths_as_the_items_of_its_feed(site: Site, engine: LocalEngine) -> None:
    source, told = engine.fetch_source(FEED), only(channel(), FEED)
    (item,) = source.items or []
    assert (source.name, source.url, source.source_type) == ("A channel", FEED, "youtube")
    assert (item.duration, item.language, item.description) == (3723, "en", "What it shows")
    assert item.published_at == datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
    assert [asked.headers["x-goog-api-key"] for asked in site.asked] == ["k3y", "k3y"]
    assert not any("k3y" in asked.path for asked in site.asked)
    for one in (item, engine.fetch_item("https://youtu.be/abcdefghijk")):
        assert (one.id, one.content_type) == (told.id, told.content_type) == ("yt:video:abcdefghijk", "video")
        assert one.metadata == {"videoId": told.metadata["videoId"]}


def test_if_the_api_fails_the_feed_is_read(site: Site, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages[LISTED] = as_json({"error": {"errors": [{"reason": "quotaExceeded"}]}}, 403)
    monkeypatch.setattr(youtube, "FEED", f"{site.url}/feeds/videos.xml")
    path = f"/feeds/videos.xml?channel_id={CHANNEL}"
    site.pages[path] = Answer(atom(title="Keyless"))
    assert engine.fetch_source(f"{site.url}{path}").name == "Keyless"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT45S", 45), ("P1DT1S", 86401), ("P0D", 0), ("PT", None), ("", None), (f"PT{'9' * 5_000}S", None)],
)
def test_lengths_are_read(site: Site, engine: LocalEngine, text: str, seconds: float | None) -> None:
    site.pages[VIDEOS] = video(text)
    assert engine.fetch_item("https://youtu.be/abcdefghijk").duration == seconds


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": ["x", {}, {"id": 5}]}, []])
def test_an_answer_of_another_shape_has_no_videos(site: Site, engine: LocalEngine, body: Any) -> None:
    site.pages[VIDEOS] = as_json(body)
    assert engine._youtube is not None
    assert engine._youtube.videos(["abcdefghijk"]) == []


def test_the_key_follows_no_redirect(site: Site, engine: LocalEngine) -> None:
    with Site() as other:
        site.pages[VIDEOS] = Answer(status=302, headers={"Location": f"{other.url}/videos"})
        with pytest.raises(EngineError, match="redirects more than 0 times"):
            engine.fetch_item("https://youtu.be/abcdefghijk")
        assert other.asked == []
