"""The program of docs/handlers.md works as described."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.testing.blocks import blocks
from tests.zeke_jobs.working import working
from zeke_jobs import config
from zeke_jobs.client import reading
from zeke_jobs.errors import JobFailed

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "handlers.md"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The page's files, each put together from its blocks."""
    for name, separator in (("pages.py", "\n\n"), ("jobs.yaml", ""), ("test_pages.py", "\n\n")):
        (tmp_path / name).write_text(separator.join(blocks(PAGE, name)))
    return tmp_path


class Site(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        status = int(self.path.strip("/"))
        self.send_response(status)
        self.send_header("Retry-After", "600")
        self.end_headers()
        self.wfile.write(b"some words and more words")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def worker(program: Path, conn: Connection, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(program))
    monkeypatch.delitem(sys.modules, "pages", raising=False)
    conn.cursor().execute("CREATE TABLE page (url text PRIMARY KEY, text text)")
    with working(config.load(program / "jobs.yaml"), database):
        yield
    sys.modules.pop("pages", None)


@pytest.mark.usefixtures("worker")
def test_each_task_of_the_page_runs(conn: Connection, site: str) -> None:
    sent = zeke_jobs.send("fetch-page", {"url": f"{site}/200"})
    assert zeke_jobs.wait(sent.id, timeout=20) == {"characters": 25}
    (child,) = reading.jobs(parent=sent.id)
    assert zeke_jobs.wait(child.id, timeout=20) == 2
    assert zeke_jobs.wait(zeke_jobs.send("fetch-politely", {"url": f"{site}/200"}).id, timeout=20) == 25
    with conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM zeke_jobs.lease")
        assert cursor.fetchone() == (0,)


@pytest.mark.usefixtures("worker")
def test_each_failure_of_the_page_ends_as_it_says(site: str) -> None:
    gone = zeke_jobs.send("fetch-page", {"url": f"{site}/410"})
    with pytest.raises(JobFailed, match="gone for good"):
        zeke_jobs.wait(gone.id, timeout=20)
    assert zeke_jobs.status(gone.id).retry_count == 0
    asked = zeke_jobs.send("fetch-page", {"url": f"{site}/429"})
    assert eventually(lambda: zeke_jobs.status(asked.id).waiting_for) == "the site asked to wait"
    broken = zeke_jobs.send("fetch-page", {"url": f"{site}/500"})
    assert eventually(lambda: zeke_jobs.status(broken.id).error)["type"] == "HTTPStatusError"
    silent = zeke_jobs.send("fetch-page", {"url": "http://127.0.0.1:9/"})
    assert eventually(lambda: zeke_jobs.status(silent.id).error)["message"] == "nobody answers"


def test_the_tests_of_the_page_pass(program: Path, database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(program), "test_pages.py"],
        cwd=program,
        env={**os.environ, "DATABASE_URL": database, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_name_of_the_context_is_on_the_page() -> None:
    from zeke_jobs.core.context import Context

    names = {name for name in (*Context.__annotations__, *Context.__abstractmethods__) if not name.startswith("_")}
    assert {name for name in names if f"`ctx.{name}" not in PAGE.read_text()} == set()
