# ruff: noqa: RUF001 (dates in Cyrillic, Arabic and other scripts)
"""The feed reader handles each form of feed, title and date, and no feed can harm it."""

import gzip
import json
import os
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from actors.engine.contract import ContentItem, EngineError
from actors.engine.dates import read_date
from actors.engine.feeds import read_feed
from tests.actors.engine.conftest import NOW, entry, failure, only
from tests.actors.scripted_site import atom, rss
from tests.each import cases
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
    # Episodes without a guid are told apart by their recordings.
    for link, title in (("", "One"), ("", "One, corrected"), ("<link>https://a.example/</link>", "t")):
        show = f"<title>{title}</title>{link}<enclosure url='https://a.example/{{}}.mp3' type='audio/mpeg'/>"
        ids = [item.id for item in read_feed(podcast(*map(show.format, (1, 2))).encode(), URL, now=NOW).items or []]
        assert ids == ["https://a.example/1.mp3", "https://a.example/2.mp3"]


def test_an_entry_stays_the_same_while_a_fault_makes_the_feed_no_xml() -> None:
    told = "<author>R&amp;D</author><category>Q&amp;A</category>"
    whole, broken = (entry(told + fault, guid="a?p=1&amp;q=2") for fault in ("", "<br>"))
    assert (whole.id, whole.author and whole.author.name, whole.metadata["tags"]) == ("a?p=1&q=2", "R&D", ["Q&A"])
    assert broken == whole


def test_an_atom_entry_with_several_links_gives_the_page_and_a_feed_its_own_wish() -> None:
    # An earlier version found no address in an entry with several links.
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


def podcast(*items: str) -> str:
    listed = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0'><channel><title>Talk</title>{listed}</channel></rss>"


XHTML = '<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">One <em>two</em> &lt; three</div></title>'


@cases(
    "title shown",
    ('<title type="html">AT&amp;amp;T</title>', "AT&T"),
    ('<title type="html">A &lt;b&gt;bold&lt;/b&gt; move, 1 &amp;lt; 2</title>', "A bold move, 1 < 2"),
    ('<title type="text">Vec&lt;T&gt; and &amp;amp;</title>', "Vec<T> and &amp;"),
    *(("<title>Vec&lt;b&gt;</title>", "Vec<b>"), (XHTML, "One two < three")),
    *(("Costs &amp;#x0024;5", "Costs $5"), ("AT&amp;amp;T", "AT&T"), ("Vec&lt;T&gt; is here", "Vec<T> is here")),
    ("<![CDATA[A <i>slanted</i> title &amp; more]]>", "A slanted title & more"),
)
def test_a_title_of_atom_is_read_by_its_type_and_one_of_rss_loses_html(title: str, shown: str) -> None:
    if title.startswith("<title"):
        item = only(atom(f'<id>1</id>{title}<summary type="text">a &lt;T&gt; b</summary>'))
        assert (item.title, item.description) == (shown, "a &lt;T&gt; b")
    else:
        assert entry(title=title).title == shown


@pytest.mark.parametrize("version", ["1", "1.1"])
def test_a_json_feed_is_read(version: str) -> None:
    people = {"authors": [{"name": "Ada"}, {"name": "Bob"}]} if version == "1.1" else {"author": {"name": "Ada"}}
    told = {"id": 17, "url": "/seventeen", "title": "Vec<T> & more", "content_html": "<p>Whole.</p>"}
    told |= {"summary": "1 < 2", "date_published": "2026-11-19T10:00:00+05:30", "tags": ["one"]}
    feed = {
        "version": f"https://jsonfeed.org/version/{version}", "title": "A feed of JSON", "home_page_url": "https://a.example/",
        "items": [
            {**told, **people},
            {"id": "x", "external_url": "https://b.example/", "content_text": "a <b> c", "date_published": "soon"},
            {"id": "p", "attachments": [{"url": "https://a.example/1", "mime_type": "audio/mpeg", "duration_in_seconds": 61.5}]},
            "no item",
        ],
    }  # fmt: skip
    source = read_feed(json.dumps(feed).encode(), URL, content_type="application/feed+json", now=NOW)
    first, second, third = source.items or []
    assert (source.name, source.source_type, source.metadata["link"]) == ("A feed of JSON", "rss", "https://a.example/")
    assert (first.id, first.url, first.title) == ("17", "https://feeds.example/seventeen", "Vec<T> & more")
    assert (first.metadata["content"], first.description) == ("<p>Whole.</p>", "1 &lt; 2")
    assert first.published_at == datetime(2026, 11, 19, 4, 30, tzinfo=UTC)
    assert first.metadata["tags"] == ["one"]
    assert (first.author and first.author.name) == ("Ada, Bob" if version == "1.1" else "Ada")
    assert (second.id, second.url, second.published_at) == ("x", "https://b.example/", None)
    assert second.metadata["content"] == "a &lt;b&gt; c"
    assert (third.content_type, third.duration, third.metadata["enclosure"]) == ("audio", 61, "https://a.example/1")
    for number in ("1", "1.0", version):  # A feed may name its version by the number alone.
        short = read_feed(json.dumps({**feed, "version": number}).encode(), URL, now=NOW)
        assert (short.items, short.metadata["format"]) == (source.items, f"json{number}")


RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
ENTRY = '<item rdf:about="https://a.example/1"><title>One</title><link>https://a.example/1</link></item>'
RSS_1_0 = f'<rdf:RDF {RDF} xmlns="http://purl.org/rss/1.0/"><channel><title>Old</title></channel>{ENTRY}</rdf:RDF>'
ITEMS = f'<items rdf:parseType="Collection">{ENTRY}</items>'
RSS_1_1 = f'<Channel {RDF} xmlns="http://purl.org/net/rss1.1#"><title>Old</title>{ITEMS}</Channel>'
PREFIXED = re.sub(r"<(/?)(?=\w)", r"<\1r:", RSS_1_1).replace("xmlns=", "xmlns:r=")


@pytest.mark.parametrize("body", [RSS_1_0, RSS_1_1, PREFIXED], ids=["1.0", "1.1", "1.1 with a prefix"])
def test_rss_in_rdf_is_read(body: str) -> None:
    source = read_feed(body.encode(), URL, now=NOW)
    items = [(one.id, one.url, one.title) for one in source.items or []]
    assert (source.name, items) == ("Old", [("https://a.example/1", "https://a.example/1", "One")])


def test_a_feed_in_a_gzip_file_is_read_within_bounds() -> None:
    body = rss(("1", "Packed", "https://a.example/1")).encode()
    assert [one.title for one in read_feed(gzip.compress(body), URL).items or []] == ["Packed"]
    for broken, code in ((gzip.compress(body)[:-12], "fetch_failed"), (gzip.compress(bytes(65 << 20)), "too_large")):
        assert failure(read_feed, broken, URL).code == code


@cases(
    "body",
    b'{"version": "https://jsonfeed.org/version/1.1"}',
    b'{"version": "https://jsonfeed.org/version/1.1", "items": {}}',
    b'{"version": 1, "items": []}',
    b'{"version": "1.0", "items": [{"name": "any other JSON"}]}',
    b'{"version": "https://jsonfeed.org/version/1.1", "items": [',
    b"{" * 100_000,
    b'{"a":' * 100_000,
    *(b"", b"<html><body>Not found</body></html>", b"\x89PNG\r\n\x1a\n", b"plain text", b"{}"),
)
def test_what_is_no_feed_or_makes_the_parser_raise_is_refused(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failure(read_feed, body, URL).code == "not_a_feed"
    monkeypatch.setattr("feedparser.api.parse", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError" in str(failure(entry))


@pytest.mark.parametrize("path", ["one.mp3", "one.M4A", "one.opus?token=1", "a/b.ogg"])
@pytest.mark.parametrize("kind", ["", "type='application/octet-stream'"])
def test_a_recording_without_a_type_is_known_by_its_extension(path: str, kind: str) -> None:
    item = only(podcast(f"<title>One</title><enclosure url='https://a.example/{path}' {kind}/>"))
    assert (item.content_type, item.metadata["enclosure"]) == ("audio", f"https://a.example/{path}")
    for other in ("one.pdf'", f"{path}' type='video/mp4'"):
        item = only(podcast(f"<title>One</title><enclosure url='https://a.example/{other}/>"))
        assert item.content_type == "article"


@cases(
    "text moment",
    ("Seg, 24 Set 2018 10:00:00 -0300", "2018-09-24T13:00"), ("Seg, 24 Set 2018", "2018-09-24T00:00"),
    ("mer, 16 nov 2016 10:00:00 +0100", "2016-11-16T09:00"),
    ("Çar, 05 Şub 2020 10:00:00 +0300", "2020-02-05T07:00"), ("10 czerwca 2020", "2020-06-10T00:00"),
    ("Donnerstag, 5. März 2020, 18:30 Uhr", "2020-03-05T18:30"), ("5 août 2020 à 10h30", "2020-08-05T10:30"),
    ("segunda-feira, 24 de setembro de 2018", "2018-09-24T00:00"), ("5 марта 2020 г.", "2020-03-05T00:00"),
    ("Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00"), ("2020年1月6日", "2020-01-06T00:00"),
    ("2020年1月6日 10:30", "2020-01-06T10:30"), ("2020년 1월 6일 오후 3:04", "2020-01-06T15:04"),
    ("Thu, 12 Nov 2020 10:00:00 CET", "2020-11-12T09:00"),
    ("Thu, 16 Jul 2020 10:00:00 CEST", "2020-07-16T08:00"),
    ("Thu, 16 Jul 2020 10:00:00 BST", "2020-07-16T09:00"),
    ("Thu, 12 Nov 2020 10:00:00 EST", "2020-11-12T15:00"),
    ("Thu, 12 Nov 2020 10:00:00 IST", "2020-11-12T04:30"),
    ("Thu, 12 Nov 2020 10:00:00 +0530", "2020-11-12T04:30"), ("2020-11-12T10:00:00+05:30", "2020-11-12T04:30"),
    ("2020-11-12T10:00-0330", "2020-11-12T13:30"), ("2020-11-12T10:00:00.123Z", "2020-11-12T10:00"),
    ("20201112T100000Z", "2020-11-12T10:00"), ("01 Jan 04 19:48 GMT", "2004-01-01T19:48"),
    ("Sun Jan  4 16:29:06 PST 2004", "2004-01-05T00:29"),
    ("Mon Sep 24 2018 10:00:00 GMT+0200 (CEST)", "2018-09-24T08:00"),
    ("March 5, 2020 at 3:04 PM EST", "2020-03-05T20:04"), ("13/04/2020", "2020-04-13T00:00"),
    ("Fri, 20 Nov 2026 24:00:00 GMT", "2026-11-21T00:00"),
    *((text, None) for text in ("", "yesterday", "mer, 16 nov", "3/4/2020", "0000-00-00", "-1", "99999999999999", "2020")),
    ("2026-13-45T99:99", None), ("Thu, 31 Jun 2004 19:48:21 GMT", None), ("Mon, 99 Foo 20222 25:61:61", None),
    ("Thu, 12 Nov 2020 10:00:00 XYZ", None), ("12 Nov 2020 and 13 Nov 2020", None),
)  # fmt: skip
def test_a_date_is_read_in_its_language_and_zone_or_is_none_if_it_cannot_be_told(text: str, moment: str | None) -> None:
    found = read_date(text)
    expected = moment and datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (found and found.replace(second=0)) == expected


@given(st.text(max_size=150))
def test_no_text_raises(text: str) -> None:
    read_date(text)
