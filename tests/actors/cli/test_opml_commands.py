import json
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.cli.app import run
from actors.engine.opml import Listed, read_opml, write_opml
from actors.store import sources
from tests.actors.scripted_site import Answer, ScriptedSite, rss

LIST = b"""<opml version="2.0"><body><outline text="One" xmlUrl="https://a.example/feed"/>
<outline text="Two" xmlUrl="https://b.example/feed"/></body></opml>"""


def test_a_list_is_brought_in_once_and_taken_out_again(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(LIST)
    for expected in ("2 added, 0 already there", "0 added, 2 already there"):
        assert run(["sources", "import", str(file), "--authority", "0.5", "--no-check"]) == 0
        assert capsys.readouterr().out.strip() == expected
    assert run(["sources", "import", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"added": 0, "already_there": 2, "failed": []}
    listed = sources.listing(conn)
    assert [float(row["authority_score"]) for row in listed] == [0.5, 0.5]
    sources.switch(conn, listed[0]["id"], on=False)
    assert run(["sources", "export"]) == 0
    exported = read_opml(capsys.readouterr().out.encode())
    assert len(exported) == 1
    assert exported[0] in {("One", "https://a.example/feed", ()), ("Two", "https://b.example/feed", ())}


def test_five_hundred_feeds_come_in_with_their_folders_and_a_list_of_what_cannot_be_read(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str], site: ScriptedSite, jobs_yaml: Path
) -> None:
    assert jobs_yaml
    feeds = [
        Listed(f"Feed {n}", f"{site.url}/{n}", ("Tech",) if n % 2 else ("Tech", "Python & co")) for n in range(500)
    ]
    for n in range(500):
        site.pages[f"/{n}"] = Answer(rss((f"{n}", "Item", f"{site.url}/item/{n}")))
    site.pages["/7"] = Answer(status=404)
    site.pages["/8"] = Answer("<html><title>No feed</title></html>")
    file = tmp_path / "feeds.opml"
    file.write_bytes(write_opml(feeds))
    assert run(["sources", "import", str(file)]) == 0
    out = capsys.readouterr().out
    assert "498 added, 0 already there, 2 could not be read:" in out
    assert f"{site.url}/7  {site.url}/7 answers 404" in out
    assert f"{site.url}/8  {site.url}/8 is a page that names no feed" in out
    before = snapshot(conn)
    site.asked.clear()
    assert run(["sources", "import", str(file), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["added"], again["already_there"], len(again["failed"])) == (0, 498, 2)
    assert {asked.path for asked in site.asked} & {f"/{n}" for n in range(500)} == {"/7", "/8"}
    assert snapshot(conn) == before
    assert run(["sources", "export"]) == 0
    exported = read_opml(capsys.readouterr().out.encode())
    assert set(exported) == {feed for feed in feeds if feed.address not in {f"{site.url}/7", f"{site.url}/8"}}


def test_a_page_in_the_place_of_its_feed_is_looked_at_for_it(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str], site: ScriptedSite, jobs_yaml: Path
) -> None:
    assert jobs_yaml
    link = '<link rel="alternate" type="application/rss+xml" href="/{}">'
    for name in ("one", "two", "three"):
        site.pages[f"/{name}.xml"] = Answer(rss((name, "Item", f"{site.url}/item/{name}")))
    site.pages["/blog"] = Answer(f"<html><head>{link.format('one.xml')}</head></html>")
    site.pages["/both"] = Answer(f"<html><head>{link.format('two.xml')}{link.format('three.xml')}</head></html>")
    file = tmp_path / "feeds.opml"
    file.write_bytes(
        write_opml([Listed("Mine", f"{site.url}/blog", ("Tech",)), Listed("Both", f"{site.url}/both", ())])
    )
    for added, there in ((1, 0), (0, 1)):
        assert run(["sources", "import", str(file)]) == 0
        out = capsys.readouterr().out
        assert f"{added} added, {there} already there, 1 could not be read:" in out
        assert f"{site.url}/both  is a page with 2 feeds: {site.url}/two.xml, {site.url}/three.xml" in out
    [source] = sources.listing(conn)
    assert (source["name"], source["url"], sources.folder_of(source)) == ("Mine", f"{site.url}/one.xml", ("Tech",))


@pytest.mark.parametrize("option", [[], ["--no-check"]])
def test_what_is_no_web_address_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs_yaml: Path, conn: Connection, option: list[str]
) -> None:
    assert jobs_yaml
    file = tmp_path / "feeds.opml"
    file.write_bytes(write_opml([Listed("Not the web", "ftp://a.example/feed")]))
    assert run(["sources", "import", str(file), *option]) == 0
    out = capsys.readouterr().out
    assert "0 added, 0 already there, 1 could not be read:" in out
    assert "ftp://a.example/feed  expected an http or https address, got 'ftp://a.example/feed'" in out
    assert sources.listing(conn) == []


def snapshot(conn: Connection) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute("SELECT id, name, url, type, metadata::text, updated_at FROM sources ORDER BY id")
        return list(cursor.fetchall())


@pytest.mark.parametrize("content", [b"not xml", None])
def test_a_file_that_is_no_list_is_refused(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "feeds.opml"
    if content is not None:
        file.write_bytes(content)
    assert run(["sources", "import", str(file)]) == 2
    assert "FILE" in capsys.readouterr().err


def test_a_list_names_no_mailbox_of_ours(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs_yaml: Path
) -> None:
    assert jobs_yaml
    file = tmp_path / "feeds.opml"
    file.write_bytes(b'<opml><body><outline text="x" xmlUrl="imap://mine/INBOX"/></body></opml>')
    for more in ((), ("--no-check",)):
        assert run(["sources", "import", str(file), *more]) == 0
        assert "expected an http or https address, got 'imap://mine/INBOX'" in capsys.readouterr().out
    assert sources.listing(conn) == []
