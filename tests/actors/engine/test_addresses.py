import json
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import SecretStr

from actors.engine import Settings, youtube
from actors.engine.canonical import canonical_url, site_of
from actors.engine.connect import refusal
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetched, parse
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure, only
from tests.actors.scripted_site import Answer, Site, as_json, atom, channel
from tests.each import cases

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.1.2.3", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::808:808", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:db8::1",
    "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808",
    "2002:808:808::1",
]  # fmt: skip


def test_only_what_is_public_and_carries_no_private_address_is_not_refused() -> None:
    assert [address for address in PRIVATE + PUBLIC if refusal(address) is None] == PUBLIC
    for inner in (int(IPv4Address(text)) for text in PRIVATE if ":" not in text):
        teredo = int(IPv6Address("2001::")) | (inner ^ 0xFFFFFFFF)
        for carrier in (
            0xFFFF << 32 | inner,
            int(IPv6Address("64:ff9b::")) | inner,
            0x2002 << 112 | inner << 80,
            teredo,
        ):
            assert refusal(str(IPv6Address(carrier))) is not None


def test_a_network_that_is_allowed_by_name_is_not_refused_and_a_refusal_names_the_address() -> None:
    allowed = [ip_network("127.0.0.0/8")]
    for address, is_allowed in (("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False), ("::1", False)):
        assert (refusal(address, allowed) is None) is is_allowed
    assert refusal("2002:7f00:1::") == (
        "2002:7f00:1:: carries 127.0.0.1 is not a public address; "
        "services.engine.allow_networks: [127.0.0.0/8] in jobs.yaml would allow it"
    )
    assert "[fec0::1/128]" in str(refusal("fec0::1"))


SAME = [
    "https://example.org/news/a-title?id=7",
    "http://example.org/news/a-title?id=7",
    "https://www.example.org/news/a-title/?id=7",
    "https://m.example.org/news/a-title?id=7#comments",
    "https://EXAMPLE.org:443/news//a-title?utm_source=rss&id=7&fbclid=x",
    "https://amp.example.org/news/a-title/amp/?id=7",
    "https://www.google.com/amp/s/example.org/news/a-title?id=7",
    "https://example-org.cdn.ampproject.org/c/s/example.org/news/a-title?id=7",
]
OTHERS = [
    "https://example.org/news/a-title?id=8",
    "https://example.org/news/A-title?id=7",
    "https://other.example.org/news/a-title?id=7",
    "https://example.org:8080/news/a-title?id=7",
    "https://example.org/news/a-title",
    "https://example.org/amplifier?id=7",
]


@pytest.mark.parametrize("url", SAME + OTHERS)
def test_links_to_one_page_have_one_canonical_address_in_any_order_of_its_parameters(url: str) -> None:
    assert (canonical_url(url) == SAME[0]) is (url in SAME)
    assert canonical_url("https://a.org/?b=2&a=1") == canonical_url("https://a.org/?a=1&b=2")


PIECES = st.text(st.sampled_from("aZ9./?&=%#-_~ü→@:+ "), max_size=30)


@given(PIECES, PIECES, st.sampled_from(["http://", "https://www.", "https://m.", "https://amp.", "HTTP://"]))
def test_a_canonical_address_is_its_own_canonical_address(host: str, rest: str, scheme: str) -> None:
    once = canonical_url(f"{scheme}a{host}.example.org/{rest}")
    assert canonical_url(once) == once
    for text in ("", "no address", "mailto:a@b.c", "http://[broken", "http://a:port/"):
        assert canonical_url(text) == text


def test_a_domain_that_is_called_like_a_mobile_host_keeps_its_name_and_one_that_the_dns_cannot_have_is_none() -> None:
    url = f"https://{'a' * 3_000}.example/x"
    for text, site in (("https://m.com/x", "m.com"), ("https://www.amp.dev/x", "amp.dev"), (url, "")):
        assert site_of(text) == site
    with pytest.raises(EngineError, match="expected an http"):
        parse(url)
    assert site_of(str(parse("https://a.example/x"))) == "a.example"


CHANNEL = "UC" + "a1-_" * 5 + "zz"
FEED = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"


def answers(body: str) -> Callable[[str], Fetched]:
    return lambda url: Fetched(url, 200, {}, body.encode())


def never(url: str) -> Fetched:
    raise AssertionError(f"{url} was fetched")


@cases(
    "url video",
    ("https://www.youtube.com/watch?v=abcdefghijk&t=4s", "abcdefghijk"), ("http://[", None),
    ("https://m.youtube.com/watch?v=abcdefghijk", "abcdefghijk"), ("https://www.youtube.com/@name", None),
    ("https://youtu.be/abcdefghijk?si=x", "abcdefghijk"), ("https://www.youtube.com/watch?v=short", None),
    ("https://www.youtube.com/shorts/abcdefghijk", "abcdefghijk"), ("https://a.example/watch?v=abcdefghijk", None),
    ("https://www.youtube.com/live/abcdefghijk", "abcdefghijk"),
)  # fmt: skip
def test_a_video_is_known_by_each_of_its_addresses(url: str, video: str | None) -> None:
    assert youtube.video_id(url) == video


@cases(
    "url feed",
    *dict.fromkeys((CHANNEL, f"https://www.youtube.com/channel/{CHANNEL}/videos", FEED), FEED).items(),
    ("https://www.youtube.com/playlist?list=UULFx", f"{youtube.FEED}?playlist_id=UULFx"),
    ("https://a.example/@name", "https://a.example/@name"),
)
def test_a_feed_that_the_address_tells_is_known_without_fetching(url: str, feed: str) -> None:
    assert youtube.feed_url(url, never) == feed


@cases(
    "markup",
    f'<link rel="canonical" href="https://www.youtube.com/channel/{CHANNEL}">',
    f'<script>{{"externalId":"{CHANNEL}"}}</script>',
    f'<meta itemprop="identifier" content="{CHANNEL}">',
)
def test_a_handle_is_looked_up_on_its_page_which_also_names_others(markup: str) -> None:
    other = "UC" + "b" * 22
    page = f'<a href="/channel/{other}">Another</a> "channelId":"{other}" {markup}'
    assert youtube.feed_url("https://www.youtube.com/@name", answers(page)) == FEED
    error = failure(youtube.feed_url, "https://www.youtube.com/@name", answers(page.replace(markup, "")))
    assert error.code == "not_a_feed"


def test_a_video_is_described_and_not_extracted() -> None:
    told = answers(json.dumps({"title": "A video", "author_name": "Ada"}))
    item = youtube.describe("abcdefghijk", lambda url: told(url) if "/oembed?" in url else never(url))
    assert (item.title, item.content_type, item.text) == ("A video", "video", None)
    assert (item.author and item.author.name) == "Ada"


def video(duration: str = "PT1H2M3S") -> Answer:
    told = {"title": "A video", "description": "What it shows", "channelTitle": "A channel"}
    told |= {"defaultAudioLanguage": "en-US", "publishedAt": "2026-11-01T10:00:00Z"}
    return as_json({"items": [{"id": "abcdefghijk", "snippet": told, "contentDetails": {"duration": duration}}]})


LISTED = f"/playlistItems?part=contentDetails&playlistId=UU{CHANNEL.removeprefix('UC')}&maxResults=50"
VIDEOS = "/videos?part=snippet%2CcontentDetails&id=abcdefghijk&maxResults=50"


@pytest.fixture
def engine(site: Site) -> LocalEngine:
    """Make an engine with a key for YouTube's API; the test's site imitates this API, and knows one video."""
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


def test_lengths_are_read(site: Site, engine: LocalEngine) -> None:
    texts = {"PT45S": 45, "P1DT1S": 86401, "P0D": 0, "PT": None, "": None, f"PT{'9' * 5_000}S": None}
    for text, seconds in texts.items():
        site.pages[VIDEOS] = video(text)
        assert engine.fetch_item("https://youtu.be/abcdefghijk").duration == seconds


def test_an_answer_of_another_shape_has_no_videos_and_no_redirect_the_key(site: Site, engine: LocalEngine) -> None:
    bodies: list[Any] = [{}, {"items": None}, {"items": ["x", {}, {"id": 5}]}, []]
    for body in bodies:
        site.pages[VIDEOS] = as_json(body)
        assert engine._youtube is not None
        assert engine._youtube.videos(["abcdefghijk"]) == []
    with Site() as other:
        site.pages[VIDEOS] = Answer(status=302, headers={"Location": f"{other.url}/videos"})
        with pytest.raises(EngineError, match="redirects more than 0 times"):
            engine.fetch_item("https://youtu.be/abcdefghijk")
        assert other.asked == []
