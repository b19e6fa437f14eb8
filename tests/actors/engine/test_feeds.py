import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from actors.engine.contract import ContentItem, EngineError
from actors.engine.feeds import read_feed
from tests.actors.engine.conftest import NOW, entry, failure, only
from tests.actors.scripted_site import atom, rss
from tests.lab.quality.corpora import CORPUS, needs_corpora

FEEDS = CORPUS / "feeds"
DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
URL = "https://feeds.example/news.xml"


@needs_corpora
def test_every_feed_of_the_corpus_is_read_or_refused_and_its_identities_are_stable() -> None:
    read = 0
    refused: set[str] = set()
    for path in sorted(FEEDS.rglob("*"))[:: 1 if DEEP else 4]:
        if not path.is_file():
            continue
        try:
            first = read_feed(path.read_bytes(), URL, now=NOW)
        except EngineError as error:
            refused.add(error.code)
            continue
        again = read_feed(path.read_bytes(), URL, now=NOW)
        ids = [item.id for item in first.items or []]
        assert ids == [item.id for item in again.items or []], path
        assert len(ids) == len(set(ids)), path
        assert all(ids), path
        read += 1
    assert read > (2000 if DEEP else 500)
    assert refused == {"not_a_feed"}


@needs_corpora
def test_a_real_feed_gives_all_its_items_with_address_title_and_date() -> None:
    for name, count in {"cn_nytimes_com": 20, "ft_com": 25, "independant_co_uk": 100, "theverge_com": 10}.items():
        source = read_feed((FEEDS / "news" / f"{name}.xml").read_bytes(), URL)
        assert [len(source.items or []), bool(source.name)] == [count, True], name
        assert all(one.url.startswith("https://") and one.title and one.published_at for one in source.items or [])


def test_reading_never_fetches_and_entities_that_multiply_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a feed was fetched while it was read")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    hostile = (
        '<?xml version="1.0"?><!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd" [<!ENTITY a SYSTEM "http://127.0.0.1/y">]>'
        "<rss version='2.0'><channel><title>&a;</title><item><guid>1</guid></item></channel></rss>"
    )
    assert [item.id for item in read_feed(hostile.encode(), URL).items or []] == ["1"]
    with pytest.raises(EngineError):
        read_feed(b"http://127.0.0.1/feed", URL)
    lines = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a0 "ha">{lines}]><rss version="2.0"><channel><title>&a9;</title></channel></rss>'
    assert len(read_feed(bomb.encode(), URL).name) <= 500


def test_identity_is_the_guid_else_the_link_else_title_and_date_and_stays_where_the_feed_moves() -> None:
    body = (
        "<rss version='2.0'><channel><title>t</title>"
        "<item><guid>g1</guid><link>/1</link></item><item><link>https://a.example/2</link></item>"
        "<item><guid></guid><link>https://a.example/3</link></item>"
        "<item><guid>same</guid><link>https://a.example/4</link></item>"
        "<item><guid>same</guid><link>https://a.example/5</link></item>"
        "<item><title>Only a title</title><pubDate>Fri, 20 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>"
    )
    items = read_feed(body.encode(), URL, now=NOW).items or []
    ids = [item.id for item in items]
    assert ids[:-1] == ["g1", *(f"https://a.example/{n}" for n in (2, 3, 4, 5))]
    assert ids[-1].startswith("sha256:")
    assert items[0].url == "https://feeds.example/1"
    elsewhere = read_feed(body.encode(), "https://elsewhere.example/feed", now=NOW).items or []
    assert [item.id for item in elsewhere] == ids


def test_an_entry_stays_the_same_while_a_fault_makes_the_feed_no_xml() -> None:
    told = "<author>R&amp;D</author><category>Q&amp;A</category>"
    whole, broken = (entry(told + fault, guid="a?p=1&amp;q=2") for fault in ("", "<br>"))
    assert (whole.id, whole.author and whole.author.name, whole.metadata["tags"]) == ("a?p=1&q=2", "R&D", ["Q&A"])
    assert broken == whole


def test_an_atom_entry_with_several_links_gives_the_page_and_a_feed_its_own_wish() -> None:
    # An earlier version found no address in such an entry.
    links = (
        '<link rel="edit" href="https://a.example/edit"/><link rel="enclosure" type="audio/mpeg" href="https://a.example/a.mp3"/>'
        '<link rel="alternate" type="application/json" href="https://a.example/j"/>'
        '<link rel="alternate" type="text/html" href="https://a.example/page"/>'
    )
    item = only(atom(f"<id>tag:1</id><title>e</title>{links}"))
    assert (item.id, item.url) == ("tag:1", "https://a.example/page")
    for ttl, minutes in (("<ttl>90</ttl>", 90), (DAILY, 1440)):
        body = rss(("1", "t", "https://a.example/1")).replace("<description>", f"{ttl}<description>", 1)
        assert read_feed(body.encode(), URL).metadata["ttlMinutes"] == minutes


DAILY = '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily</sy:updatePeriod>'


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
def test_a_date_before_1970_is_none_and_the_update_counts(date: str) -> None:
    def dated(tag: str, date: str) -> str:
        return f"<atom:{tag} xmlns:atom='http://www.w3.org/2005/Atom'>{date}</atom:{tag}>"

    update = datetime(2026, 11, 19, 10, tzinfo=UTC)
    assert entry(f"<pubDate>{date}</pubDate>").published_at is None
    assert entry(dated("published", date) + dated("updated", update.isoformat())).published_at == update
    assert "updated" not in entry(dated("updated", date)).metadata
    if "T" in date:
        assert ContentItem.model_validate({"id": "1", "publishedAt": date}).published_at is None


def test_a_date_of_an_engine_without_zone_is_utc_and_in_the_future_an_update_stays_and_a_publication_is_now() -> None:
    for text, moment in (("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)), ("2026-11-20T12:00:00", NOW)):
        assert ContentItem.model_validate({"id": "1", "publishedAt": text}).published_at == moment
    item = only(atom("<id>1</id><link href='https://a.example/1'/><updated>2099-01-01T00:00:00Z</updated>"))
    assert (item.published_at, item.metadata["updated"]) == (NOW, "2099-01-01T00:00:00+00:00")


def test_a_length_that_nobody_recorded_is_none() -> None:
    sound = "<enclosure url='https://a.example/1.mp3' type='audio/mpeg'/>"
    for duration in ("999999:00:00", "9999999", "800:00:00"):
        assert entry(f"<itunes:duration>{duration}</itunes:duration>{sound}").duration is None
    for odd in ("inf", "nan"):
        assert ContentItem(id="1", duration=float(odd)).duration is None
    assert ContentItem(id="1", duration=3723).duration == 3723
