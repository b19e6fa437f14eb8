"""The feed reader handles JSON Feed, types of titles, and the identities and recordings of malformed podcasts."""

import gzip
import json
import re
from datetime import UTC, datetime

import pytest

from actors.engine.feeds import read_feed
from tests.actors.engine.conftest import NOW, entry, failure, only
from tests.actors.scripted_site import atom, rss

URL = "https://feeds.example/news"


def podcast(*items: str) -> str:
    listed = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0'><channel><title>Talk</title>{listed}</channel></rss>"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ('<title type="html">AT&amp;amp;T</title>', "AT&T"),
        ('<title type="html">A &lt;b&gt;bold&lt;/b&gt; move, 1 &amp;lt; 2</title>', "A bold move, 1 < 2"),
        ('<title type="text">Vec&lt;T&gt; and &amp;amp;</title>', "Vec<T> and &amp;"),
        ("<title>Vec&lt;b&gt;</title>", "Vec<b>"),
        (
            '<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">One <em>two</em> &lt; three</div></title>',
            "One two < three",
        ),
    ],
)
def test_a_title_of_atom_is_read_by_its_declared_type(title: str, shown: str) -> None:
    item = only(atom(f'<id>1</id>{title}<summary type="text">a &lt;T&gt; b</summary>'))
    assert (item.title, item.description) == (shown, "a &lt;T&gt; b")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Costs &amp;#x0024;5", "Costs $5"), ("AT&amp;amp;T", "AT&T"), ("Vec&lt;T&gt; is here", "Vec<T> is here"),
        ("<![CDATA[A <i>slanted</i> title &amp; more]]>", "A slanted title & more"),
    ],
)  # fmt: skip
def test_a_title_of_rss_loses_tags_of_html_and_references_alone(title: str, shown: str) -> None:
    assert entry(title=title).title == shown


@pytest.mark.parametrize("version", ["1", "1.1"])
def test_a_json_feed_is_read(version: str) -> None:
    people = {"authors": [{"name": "Ada"}, {"name": "Bob"}]} if version == "1.1" else {"author": {"name": "Ada"}}
    told = {"id": 17, "url": "/seventeen", "title": "Vec<T> & more", "content_html": "<p>Whole.</p>"}
    told |= {"summary": "1 < 2", "date_published": "2026-11-19T10:00:00+05:30", "tags": ["one"]}
    feed = {
        "version": f"https://jsonfeed.org/version/{version}",
        "title": "A feed of JSON",
        "home_page_url": "https://a.example/",
        "language": "en",
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


@pytest.mark.parametrize("version", ["1", "1.0", "1.1"])
def test_a_json_feed_may_name_its_version_by_the_number_alone(version: str) -> None:
    body = json.dumps({"version": version, "title": "Short", "items": [{"id": "1", "url": "https://a.example/1"}]})
    source = read_feed(body.encode(), URL, now=NOW)
    assert (source.name, [one.url for one in source.items or []]) == ("Short", ["https://a.example/1"])
    assert source.metadata["format"] == f"json{version}"


RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
ENTRY = '<item rdf:about="https://a.example/1"><title>One</title><link>https://a.example/1</link></item>'
RSS_1_0 = f'<rdf:RDF {RDF} xmlns="http://purl.org/rss/1.0/"><channel><title>Old</title></channel>{ENTRY}</rdf:RDF>'
RSS_1_1 = (
    f'<Channel {RDF} xmlns="http://purl.org/net/rss1.1#"><title>Old</title>'
    f'<items rdf:parseType="Collection">{ENTRY}</items></Channel>'
)
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


@pytest.mark.parametrize(
    "body",
    [
        b'{"version": "https://jsonfeed.org/version/1.1"}',
        b'{"version": "https://jsonfeed.org/version/1.1", "items": {}}',
        b'{"version": 1, "items": []}',
        b'{"version": "1.0", "items": [{"name": "any other JSON"}]}',
        b'{"version": "https://jsonfeed.org/version/1.1", "items": [',
        b"{" * 100_000,
        b'{"a":' * 100_000,
        *(b"", b"<html><body>Not found</body></html>", b"\x89PNG\r\n\x1a\n", b"plain text", b"{}"),
    ],
)
def test_what_is_no_feed_is_refused(body: bytes) -> None:
    assert failure(read_feed, body, URL).code == "not_a_feed"


@pytest.mark.parametrize("path", ["one.mp3", "one.M4A", "one.opus?token=1", "a/b.ogg"])
@pytest.mark.parametrize("kind", ["", "type='application/octet-stream'"])
def test_a_recording_without_a_type_is_known_by_its_extension(path: str, kind: str) -> None:
    item = only(podcast(f"<title>One</title><enclosure url='https://a.example/{path}' {kind}/>"))
    assert (item.content_type, item.metadata["enclosure"]) == ("audio", f"https://a.example/{path}")
    for other in ("one.pdf'", f"{path}' type='video/mp4'"):
        item = only(podcast(f"<title>One</title><enclosure url='https://a.example/{other}/>"))
        assert item.content_type == "article"


def test_episodes_without_a_guid_are_told_apart_by_their_recordings_whatever_their_titles_are() -> None:
    for link, title in (("", "One"), ("", "One, corrected"), ("<link>https://a.example/</link>", "t")):
        show = f"<title>{title}</title>{link}<enclosure url='https://a.example/{{}}.mp3' type='audio/mpeg'/>"
        ids = [item.id for item in read_feed(podcast(*map(show.format, (1, 2))).encode(), URL, now=NOW).items or []]
        assert ids == ["https://a.example/1.mp3", "https://a.example/2.mp3"]
