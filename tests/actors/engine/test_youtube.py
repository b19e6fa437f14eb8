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
from tests.actors.scripted_site import Answer, Site, atom, channel

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


LISTED = {"items": [{"contentDetails": {"videoId": "abcdefghijk"}}]}


def video(duration: str = "PT1H2M3S") -> dict[str, Any]:
    told = {"title": "A video", "description": "What it shows", "channelTitle": "A channel"}
    told |= {"defaultAudioLanguage": "en-US", "publishedAt": "2026-11-01T10:00:00Z"}
    return {"items": [{"id": "abcdefghijk", "snippet": told, "contentDetails": {"duration": duration}}]}


def as_json(body: Any) -> Answer:
    return Answer(json.dumps(body), content_type="application/json; charset=UTF-8")


class Api(Site):
    def answer(self, method: str, answer: Answer) -> None:
        uploads = f"playlistId=UU{CHANNEL.removeprefix('UC')}"
        paths = {
            "playlistItems": f"/playlistItems?part=contentDetails&{uploads}&maxResults=50",
            "videos": "/videos?part=snippet%2CcontentDetails&id=abcdefghijk&maxResults=50",
        }
        self.pages[paths[method]] = answer


def engine(api: Api) -> LocalEngine:
    settings = Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "youtube_api": api.url})
    return LocalEngine(settings.model_copy(update={"youtube_key": SecretStr("k3y")}), lambda _h, _p: ["127.0.0.1"])


def test_a_channel_lists_its_videos_with_their_lengths() -> None:
    with Api() as api:
        api.answer("playlistItems", as_json(LISTED))
        api.answer("videos", as_json(video()))
        source = engine(api).fetch_source(FEED)
    (item,) = source.items or []
    assert (source.name, source.url, source.source_type) == ("A channel", FEED, "youtube")
    assert (item.duration, item.language, item.description) == (3723, "en", "What it shows")
    assert item.published_at == datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
    assert [asked.headers["x-goog-api-key"] for asked in api.asked] == ["k3y", "k3y"]
    assert not any("k3y" in asked.path for asked in api.asked)


def test_a_video_is_the_same_with_and_without_a_key() -> None:
    with Api() as api:
        api.answer("videos", as_json(video()))
        item = engine(api).fetch_item("https://youtu.be/abcdefghijk")
    told = only(channel(), FEED)
    assert (item.id, item.content_type, item.metadata) == (told.id, "video", {"videoId": told.metadata["videoId"]})
    assert told.content_type == "video"


def test_when_the_api_fails_the_keyless_feed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with Api() as api:
        api.answer("playlistItems", Answer('{"error": {"errors": [{"reason": "quotaExceeded"}]}}', 403))
        monkeypatch.setattr(youtube, "FEED", f"{api.url}/feeds/videos.xml")
        path = f"/feeds/videos.xml?channel_id={CHANNEL}"
        api.pages[path] = Answer(atom(title="Keyless"))
        assert engine(api).fetch_source(f"{api.url}{path}").name == "Keyless"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT45S", 45), ("P1DT1S", 86401), ("P0D", 0), ("PT", None), ("", None), (f"PT{'9' * 5_000}S", None)],
)
def test_lengths_are_read(text: str, seconds: float | None) -> None:
    with Api() as api:
        api.answer("videos", as_json(video(text)))
        assert engine(api).fetch_item("https://youtu.be/abcdefghijk").duration == seconds


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": ["x", {}, {"id": 5}]}, []])
def test_an_answer_of_another_shape_has_no_videos(body: Any) -> None:
    with Api() as api:
        api.answer("videos", as_json(body))
        local = engine(api)._youtube
        assert local is not None
        assert local.videos(["abcdefghijk"]) == []


def test_the_key_follows_no_redirect() -> None:
    with Api() as api, Api() as other:
        api.answer("videos", Answer(status=302, headers={"Location": f"{other.url}/videos"}))
        with pytest.raises(EngineError, match="redirects more than 0 times"):
            engine(api).fetch_item("https://youtu.be/abcdefghijk")
        assert other.asked == []
