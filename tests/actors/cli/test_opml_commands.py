import json
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.cli.app import run
from actors.engine.opml import Listed, read_opml, write_opml
from actors.store import sources
from tests.actors.database import execute

LIST = b"""<opml version="2.0"><body><outline text="One" xmlUrl="https://a.example/feed"/>
<outline text="Two" xmlUrl="https://b.example/feed"/></body></opml>"""


def test_a_list_comes_in_once_and_out_again(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(LIST)
    for expected in ("2 added, 0 already there", "0 added, 2 already there"):
        assert run(["sources", "import", str(file), "--authority", "0.5"]) == 0
        assert capsys.readouterr().out.splitlines()[0] == expected
    assert run(["sources", "import", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"added": 0, "already_there": 2, "failed": []}
    listed = sources.listing(conn)
    assert [float(row["authority_score"]) for row in listed] == [0.5, 0.5]
    sources.switch(conn, listed[0]["id"], on=False)
    assert run(["sources", "export"]) == 0
    exported = read_opml(capsys.readouterr().out.encode())
    assert len(exported) == 1
    assert exported[0] in {("One", "https://a.example/feed", ()), ("Two", "https://b.example/feed", ())}


def test_five_hundred_feeds_come_in_with_their_folders_and_are_read_by_the_workers(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str], in_force: Path, rows: Any
) -> None:
    assert in_force
    feeds = [
        Listed(f"Feed {n}", f"https://a.example/{n}", ("Tech",) if n % 2 else ("Tech", "Python & co"))
        for n in range(500)
    ]
    file = tmp_path / "feeds.opml"
    file.write_bytes(write_opml(feeds))
    assert run(["sources", "import", str(file)]) == 0
    assert "500 added, 0 already there\n" in capsys.readouterr().out
    assert rows("SELECT name FROM zeke_jobs.job WHERE name = 'ingest-pull'") == [{"name": "ingest-pull"}]
    before = snapshot(conn)
    assert run(["sources", "import", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"added": 0, "already_there": 500, "failed": []}
    assert snapshot(conn) == before
    assert run(["sources", "export"]) == 0
    assert set(read_opml(capsys.readouterr().out.encode())) == set(feeds)


def test_a_channel_of_youtube_is_known_by_its_address(conn: Connection, tmp_path: Path) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(write_opml([Listed("C", "https://www.youtube.com/feeds/videos.xml?channel_id=UC" + "x" * 22)]))
    assert run(["sources", "import", str(file)]) == 0
    assert [row["type"] for row in sources.listing(conn)] == ["youtube_channel"]


def test_what_is_no_web_address_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], conn: Connection) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(write_opml([Listed("Not the web", "ftp://a.example/feed")]))
    assert run(["sources", "import", str(file)]) == 0
    out = capsys.readouterr().out
    assert "0 added, 0 already there, 1 not:" in out
    assert "ftp://a.example/feed  expected an http or https address, got 'ftp://a.example/feed'" in out
    assert sources.listing(conn) == []


def snapshot(conn: Connection) -> list[tuple[Any, ...]]:
    return execute(conn, "SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id")


@pytest.mark.parametrize("content", [b"not xml", None])
def test_a_file_that_is_no_list_is_refused(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "feeds.opml"
    if content is not None:
        file.write_bytes(content)
    assert run(["sources", "import", str(file)]) == 2
    assert "FILE" in capsys.readouterr().err


def test_a_list_names_no_mailbox_of_ours(conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(b'<opml><body><outline text="x" xmlUrl="imap://mine/INBOX"/></body></opml>')
    assert run(["sources", "import", str(file)]) == 0
    assert "expected an http or https address, got 'imap://mine/INBOX'" in capsys.readouterr().out
    assert sources.listing(conn) == []
