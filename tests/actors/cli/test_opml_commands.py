from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.engine.opml import Listed, read_opml, write_opml
from actors.store import sources
from tests.actors.conftest import News


@pytest.fixture
def opml(tmp_path: Path) -> Callable[..., str]:
    """Write a file with these feeds; return its path."""

    def write(*feeds: Listed) -> str:
        file = tmp_path / "feeds.opml"
        file.write_bytes(write_opml(feeds))
        return str(file)

    return write


def test_five_hundred_feeds_come_in_with_their_folders_and_are_read_by_the_workers(
    news: News, opml: Any, in_force: Any, rows: Any
) -> None:
    folders = [("Tech",), ("Tech", "Python & co")]
    feeds = [Listed(f"Feed {n}", f"https://a.example/{n}", folders[n % 2]) for n in range(500)]
    file = opml(*feeds)
    known = ("--type", "podcast", "--name", "Feed 8", "--folder", "Tech", "--authority", "0.5")
    news("sources", "add", "--no-check", "https://a.example/8", *known)
    assert "499 added, 1 already there\n" in news("sources", "import", file, "--authority", "0.5")
    assert rows("SELECT DISTINCT authority_score::float FROM sources") == [{"authority_score": 0.5}]
    assert rows("SELECT name FROM zeke_jobs.job WHERE name = 'ingest-pull'") == [{"name": "ingest-pull"}]
    stored = "SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id"
    before = rows(stored)
    assert news.json("sources", "import", file) == {"added": 0, "already_there": 500, "failed": []}
    assert rows(stored) == before
    news("sources", "off", "Feed 7")
    assert set(read_opml(news("sources", "export").encode())) == {feed for feed in feeds if feed.name != "Feed 7"}


def test_a_channel_of_youtube_is_known_what_is_no_web_address_is_told_and_a_mailbox_of_ours_is_none(
    conn: Connection, news: News, opml: Any
) -> None:
    channel = "https://www.youtube.com/feeds/videos.xml?channel_id=UC" + "x" * 22
    others = ("ftp://a.example/feed", "imap://mine/INBOX")
    out = news("sources", "import", opml(*(Listed("A", address) for address in (channel, *others))))
    assert "1 added, 0 already there, 2 not:" in out
    for address in others:
        assert f"{address}  expected an http or https address, got '{address}'" in out
    assert [row["type"] for row in sources.listing(conn)] == ["youtube_channel"]


def test_a_file_that_is_no_list_is_refused(news: News, tmp_path: Path) -> None:
    (tmp_path / "a.opml").write_text("not xml")
    for name in ("a.opml", "none.opml"):
        assert "FILE" in news("sources", "import", str(tmp_path / name), status=2)
