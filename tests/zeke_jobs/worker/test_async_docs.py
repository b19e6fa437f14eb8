"""The program of docs/async.md works as described: an asyncpg pool and an httpx client as services on the loop."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.testing.blocks import blocks
from tests.zeke_jobs.working import working
from zeke_jobs import config
from zeke_jobs.client import reading

PAGE = Path(__file__).parents[3] / "docs" / "async.md"
CLIENTS: set[Any] = set()


class Model(BaseHTTPRequestHandler):
    """Answers each question, and notes the connections that it came by."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        CLIENTS.add(self.client_address)
        question = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(question)))
        self.end_headers()
        self.wfile.write(question)

    def log_message(self, *_: Any) -> None:
        pass


def test_the_program_of_the_page_runs_with_one_client_and_one_pool(
    conn: Connection, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, separator in (("ask.py", "\n\n"), ("jobs.yaml", "")):
        (tmp_path / name).write_text(separator.join(blocks(PAGE, name)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ask", raising=False)
    with conn.cursor() as cursor:
        cursor.execute("CREATE TABLE question (id int PRIMARY KEY, text text, answer text)")
        cursor.execute("INSERT INTO question SELECT n, 'why ' || n FROM generate_series(1, 30) AS n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setenv("EMBEDDINGS_URL", url)
        with working(config.load(tmp_path / "jobs.yaml"), database):
            zeke_jobs.wait(zeke_jobs.send("answer", {"id": 1, "url": url}).id, timeout=20)
            sent = zeke_jobs.send_many("answer", [{"id": n, "url": url} for n in range(2, 31)])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in sent] == [
                {"characters": len(f'{{"question": "why {n}"}}') - 1} for n in range(2, 31)
            ]
            (told,) = reading.jobs(parent=sent[0].id)
            zeke_jobs.wait(told.id, timeout=20)
            texts = zeke_jobs.send_many("embed", [{"text": "one"}, {"text": "two"}])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in texts] == ["one", "two"]
        server.shutdown()
    with conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM question WHERE answer LIKE '%why%'")
        assert cursor.fetchone() == (30,)
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '' AND datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)
    assert len(CLIENTS) <= 30
    sys.modules.pop("ask", None)
