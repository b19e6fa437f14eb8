from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from actors.cli.app import run
from actors.engine.opml import read_opml
from actors.store import sources

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

LIST = b"""<opml version="2.0"><body><outline text="One" xmlUrl="https://a.example/feed"/>
<outline text="Two" xmlUrl="https://b.example/feed"/></body></opml>"""


def test_a_list_is_brought_in_once_and_taken_out_again(
    conn: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "feeds.opml"
    file.write_bytes(LIST)
    for expected in ("2 added, 0 already there", "0 added, 2 already there"):
        assert run(["sources", "import", str(file), "--authority", "0.5"]) == 0
        assert capsys.readouterr().out.strip() == expected
    assert run(["sources", "import", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"added": 0, "already_there": 2}
    listed = sources.listing(conn)
    assert [float(row["authority_score"]) for row in listed] == [0.5, 0.5]
    sources.switch(conn, listed[0]["id"], on=False)
    assert run(["sources", "export"]) == 0
    exported = read_opml(capsys.readouterr().out.encode())
    assert len(exported) == 1
    assert exported[0] in {("One", "https://a.example/feed"), ("Two", "https://b.example/feed")}


@pytest.mark.parametrize("content", [b"not xml", None])
def test_a_file_that_is_no_list_is_refused(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "feeds.opml"
    if content is not None:
        file.write_bytes(content)
    assert run(["sources", "import", str(file)]) == 2
    assert "FILE" in capsys.readouterr().err
