import json
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.cli.app import run
from actors.engine.opml import Listed, read_opml, write_opml
from actors.store import sources
from actors.store.statements import SQL


@pytest.fixture
def imported(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def read(content: bytes | None, *options: str, status: int = 0) -> str:
        file = tmp_path / "feeds.opml"
        if content is not None:
            file.write_bytes(content)
        assert run(["sources", "import", str(file), *options]) == status
        said = capsys.readouterr()
        return said.out + said.err

    return read


def test_five_hundred_feeds_come_in_with_their_folders_and_are_read_by_the_workers(
    conn: Connection, imported: Any, capsys: pytest.CaptureFixture[str], in_force: Any, rows: Any
) -> None:
    folders = [("Tech",), ("Tech", "Python & co")]
    feeds = [Listed(f"Feed {n}", f"https://a.example/{n}", folders[n % 2]) for n in range(500)]
    assert "500 added, 0 already there\n" in imported(write_opml(feeds), "--authority", "0.5")
    assert rows("SELECT DISTINCT authority_score::float FROM sources") == [{"authority_score": 0.5}]
    assert rows("SELECT name FROM zeke_jobs.job WHERE name = 'ingest-pull'") == [{"name": "ingest-pull"}]
    before = rows("SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id")
    again = json.loads(imported(write_opml(feeds), "--json"))
    assert again == {"added": 0, "already_there": 500, "failed": []}
    assert rows("SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id") == before
    SQL.run(
        conn, "source_switch", source_id=rows("SELECT id FROM sources WHERE name = 'Feed 7'")[0]["id"], is_active=False
    )
    assert run(["sources", "export"]) == 0
    assert set(read_opml(capsys.readouterr().out.encode())) == {feed for feed in feeds if feed.name != "Feed 7"}


def test_a_channel_of_youtube_is_known_by_its_address(conn: Connection, imported: Any) -> None:
    imported(write_opml([Listed("C", "https://www.youtube.com/feeds/videos.xml?channel_id=UC" + "x" * 22)]))
    assert [row["type"] for row in sources.listing(conn)] == ["youtube_channel"]


@pytest.mark.parametrize("address", ["ftp://a.example/feed", "imap://mine/INBOX"])
def test_what_is_no_web_address_is_told_and_a_mailbox_of_ours_is_none(
    imported: Any, conn: Connection, address: str
) -> None:
    out = imported(write_opml([Listed("Not the web", address)]))
    assert "0 added, 0 already there, 1 not:" in out
    assert f"{address}  expected an http or https address, got '{address}'" in out
    assert sources.listing(conn) == []


@pytest.mark.parametrize("content", [b"not xml", None])
def test_a_file_that_is_no_list_is_refused(imported: Any, content: bytes | None) -> None:
    assert "FILE" in imported(content, status=2)
