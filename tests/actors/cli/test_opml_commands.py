from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from psycopg2.extensions import connection as Connection

from actors.engine.contract import EngineError
from actors.engine.opml import LARGEST, Listed, read_opml, write_opml
from actors.store import sources
from tests.actors.conftest import News
from tests.each import cases


@pytest.fixture
def opml(tmp_path: Path) -> Callable[..., str]:
    """Write a file with these feeds; return its path."""

    def write(*feeds: Listed) -> str:
        file = tmp_path / "feeds.opml"
        file.write_bytes(write_opml(feeds))
        return str(file)

    return write


def test_feeds_with_folders_come_in_and_are_read(news: News, opml: Any, in_force: Any, rows: Any) -> None:
    folders = [("Tech",), ("Tech", "Python & co")]
    feeds = [Listed(f"Feed {n}", f"https://a.example/{n}", folders[n % 2]) for n in range(50)]
    file = opml(*feeds)
    known = ("--type", "podcast", "--name", "Feed 8", "--folder", "Tech", "--authority", "0.5")
    news("sources", "add", "--no-check", "https://a.example/8", *known)
    assert "49 added, 1 already there\n" in news("sources", "import", file, "--authority", "0.5")
    assert rows("SELECT DISTINCT authority_score::float FROM sources") == [{"authority_score": 0.5}]
    assert rows("SELECT name FROM zeke_jobs.job WHERE name = 'ingest-pull'") == [{"name": "ingest-pull"}]
    stored = "SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id"
    before = rows(stored)
    assert news.json("sources", "import", file) == {"added": 0, "already_there": 50, "failed": []}
    assert rows(stored) == before
    news("sources", "off", "Feed 7")
    assert set(read_opml(news("sources", "export").encode())) == {feed for feed in feeds if feed.name != "Feed 7"}


def test_no_list_or_web_address_is_told(conn: Connection, news: News, opml: Any, tmp_path: Path) -> None:
    channel = "https://www.youtube.com/feeds/videos.xml?channel_id=UC" + "x" * 22
    others = ("ftp://a.example/feed", "imap://mine/INBOX")
    out = news("sources", "import", opml(*(Listed("A", address) for address in (channel, *others))))
    assert "1 added, 0 already there, 2 not:" in out
    for address in others:
        assert f"{address}  expected an http or https address, got '{address}'" in out
    assert [row["type"] for row in sources.listing(conn)] == ["youtube_channel"]
    (tmp_path / "a.opml").write_text("not xml")
    for name in ("a.opml", "none.opml"):
        assert "FILE" in news("sources", "import", str(tmp_path / name), status=2)


def test_folders_are_opened_and_each_feed_comes_once() -> None:
    text = """<?xml version="1.0"?><opml version="1.0"><head/><body>
      <outline text="Folder"><outline text="One" xmlUrl="https://a.example/feed"/>
        <outline title="Two" xmlurl=" https://b.example/feed "/></outline>
      <outline text="Again" xmlUrl="https://a.example/feed#top"/><outline text="Bare" xmlUrl="c.example/feed"/><outline text="Not a feed" htmlUrl="https://c.example"/>
      <outline text="Not the web" xmlUrl="file:///etc/passwd"/></body></opml>"""
    assert read_opml(text.encode()) == [
        ("One", "https://a.example/feed", ("Folder",)),
        ("Two", "https://b.example/feed", ("Folder",)),
        ("Bare", "https://c.example/feed", ()),
        ("Not the web", "file:///etc/passwd", ()),
    ]


NAME = st.from_regex(r"[a-z\"][a-z /&<>\"]{0,8}[a-z]", fullmatch=True).map(lambda name: " ".join(name.split()))
ADDRESS = st.from_regex(r"https://[a-z]{1,9}\.example/[a-z&?=]{0,9}", fullmatch=True)
FEEDS = st.builds(Listed, NAME, ADDRESS, st.lists(NAME, max_size=3).map(tuple))


@given(st.lists(FEEDS, max_size=9, unique_by=lambda one: one.address), st.text(max_size=20))
def test_what_is_written_is_read_back_in_its_folders_with_any_name(listed: list[Listed], name: str) -> None:
    assert sorted(read_opml(write_opml(listed))) == sorted(listed)
    (feed,) = read_opml(write_opml([Listed(name, "https://a.example/")]))
    assert feed.address == "https://a.example/"


@cases(
    "data words",
    (b"", "no XML"), (b"<html></html>", "document of 'html'"), (b"<opml><body>", "no XML"),
    (b'<!DOCTYPE opml [<!ENTITY a "b">]><opml>&a;</opml>', "entities"),
    (b'<!DOCTYPE opml [<!ENTITY a SYSTEM "file:///etc/passwd">]><opml>&a;</opml>', "entities"),
    (b" " * (LARGEST + 1), "at most"),
)  # fmt: skip
def test_what_is_no_list_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        read_opml(data)
