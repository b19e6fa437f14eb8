"""Feeds with invalid character references, NULs and impossible dates."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from actors.engine.contract import ContentItem
from tests.actors.engine.conftest import NOW, entry, failure, only
from tests.actors.scripted_site import atom

NOWHERE = ["&#xD83D;", "&#57000;", "&#x110000;", "&#99999999999;", "&#0;", f"&#{'9' * 5000};", "\0", "&#xFFFF;", "&#8;"]
PLACES: list[Callable[[str], ContentItem]] = [
    lambda text: entry(guid=f"g{text}"),
    lambda text: entry(title=f"t{text}"),
    lambda text: entry(link=f"https://a.example/{text}1"),
    lambda text: entry(f"<category>c{text}</category>"),
    lambda text: entry(f"<description>d{text}</description>"),
    lambda text: entry(f"<pubDate>{text}</pubDate>"),
    lambda text: entry(f"<enclosure type='audio/mpeg' url='https://a.example/{text}2'/>"),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", NOWHERE)
def test_a_reference_to_no_character_is_dropped(place: Callable[[str], ContentItem], text: str) -> None:
    assert place(text) == place("")


def test_whatever_the_parser_raises_is_a_stated_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feedparser.api.parse", lambda *_, **__: 1 / 0)
    error = failure(entry)
    assert (error.code, "ZeroDivisionError" in str(error)) == ("not_a_feed", True)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "0001-01-01", "1066-10-14T09:00:00Z", "1969-12-31T23:59:59Z"])
def test_a_date_before_1970_is_none(date: str) -> None:
    assert entry(f"<pubDate>{date}</pubDate>").published_at is None
    if "T" in date:
        assert ContentItem.model_validate({"id": "1", "publishedAt": date}).published_at is None


def test_a_date_of_an_engine_that_names_no_zone_is_utc() -> None:
    for text, moment in (("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)), ("2026-11-20T12:00:00", NOW)):
        assert ContentItem.model_validate({"id": "1", "publishedAt": text}).published_at == moment


def test_an_update_in_the_future_stays_and_a_publication_becomes_now() -> None:
    item = only(
        atom("<id>1</id><title>t</title><link href='https://a.example/1'/><updated>2099-01-01T00:00:00Z</updated>")
    )
    assert item.published_at == NOW
    assert item.metadata["updated"] == "2099-01-01T00:00:00+00:00"


@pytest.mark.parametrize("duration", ["999999:00:00", "9999999", "800:00:00"])
def test_a_length_that_nobody_recorded_is_none(duration: str) -> None:
    sound = "<enclosure url='https://a.example/1.mp3' type='audio/mpeg'/>"
    assert entry(f"<itunes:duration>{duration}</itunes:duration>{sound}").duration is None
    for odd in ("inf", "nan"):
        assert ContentItem(id="1", duration=float(odd)).duration is None
    assert ContentItem(id="1", duration=3723).duration == 3723
