"""Feeds with invalid character references, NULs and impossible dates."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from actors.engine.contract import ContentItem, EngineError
from actors.engine.feeds import read_feed
from tests.actors.scripted_site import rss

URL = "https://feeds.example/news.xml"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOWHERE = ["&#xD83D;", "&#57000;", "&#x110000;", "&#99999999999;", "&#0;", f"&#{'9' * 5000};", "\0", "&#xFFFF;", "&#8;"]
PLACES: list[Callable[[str], str]] = [
    lambda text: rss((f"g{text}", "t", "https://a.example/1")),
    lambda text: rss(("g", f"t{text}", "https://a.example/1")),
    lambda text: rss(("g", "t", f"https://a.example/{text}1")),
    lambda text: rss(("g", "t", "https://a.example/1"), extra=f"<category>c{text}</category>"),
    lambda text: rss(("g", "t", "https://a.example/1"), extra=f"<description>d{text}</description>"),
    lambda text: rss(("g", "t", "https://a.example/1"), extra=f"<pubDate>{text}</pubDate>"),
    lambda text: rss(
        ("g", "t", "https://a.example/1"), extra=f"<enclosure type='audio/mpeg' url='https://a.example/{text}2'/>"
    ),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", NOWHERE)
def test_a_reference_to_no_character_is_dropped(place: Callable[[str], str], text: str) -> None:
    (item,) = read_feed(place(text).encode(), URL).items or []
    (same,) = read_feed(place("").encode(), URL).items or []
    assert item == same


def test_a_pair_of_surrogates_is_its_character_and_others_stay() -> None:
    title = "a&#55357;&#56832;b&#xD83D;&#xDE01;&#233;&#x20AC;&#55357;c&#55357;&#55357;&#56832;&#10;d"
    (item,) = read_feed(rss(("g", title, "https://a.example/1")).encode(), URL).items or []
    assert item.title == "a\U0001f600b\U0001f601é€c\U0001f600 d"


def test_whatever_the_parser_raises_is_a_stated_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedparser.api.parse", lambda *_, **__: 1 / 0)
    with pytest.raises(EngineError, match="ZeroDivisionError") as caught:
        read_feed(rss(("g", "t", "https://a.example/1")).encode(), URL)
    assert caught.value.code == "not_a_feed"


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "0001-01-01", "1066-10-14T09:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_date_before_1970_is_none(date: str) -> None:
    (item,) = (
        read_feed(rss(("g", "t", "https://a.example/1"), extra=f"<pubDate>{date}</pubDate>").encode(), URL).items or []
    )
    assert item.published_at is None
    if "T" in date:
        told = {"id": "1", "publishedAt": date}
        assert ContentItem.model_validate(told).published_at is None
    assert ContentItem.model_validate({"id": "1", "publishedAt": "1970-01-01T00:00:00Z"}).published_at is not None


def test_a_date_of_an_engine_that_names_no_zone_is_utc() -> None:
    item = ContentItem.model_validate({"id": "1", "publishedAt": "2026-11-20T12:00:00"})
    assert item.published_at == NOW


def test_an_update_in_the_future_stays_and_a_publication_becomes_now() -> None:
    entry = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title>t</title><link href="https://a.example/1"/>'
        "<updated>2099-01-01T00:00:00Z</updated></entry></feed>"
    )
    (item,) = read_feed(entry.encode(), URL, now=NOW).items or []
    assert item.published_at == NOW
    assert item.metadata["updated"] == "2099-01-01T00:00:00+00:00"


@pytest.mark.parametrize("duration", ["999999:00:00", "9999999", "800:00:00"])
def test_a_length_that_nobody_recorded_is_none(duration: str) -> None:
    episode = (
        f"<itunes:duration>{duration}</itunes:duration><enclosure url='https://a.example/1.mp3' type='audio/mpeg'/>"
    )
    body = rss(("g", "t", "https://a.example/1"), extra=episode).replace(
        "<rss ", '<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
    )
    assert [item.duration for item in read_feed(body.encode(), URL).items or []] == [None]
    assert ContentItem(id="1", duration=float("inf")).duration is None
    assert ContentItem(id="1", duration=float("nan")).duration is None
    assert ContentItem(id="1", duration=3723).duration == 3723
