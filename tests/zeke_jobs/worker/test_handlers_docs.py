"""The program of docs/handlers.md works as described."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.working import program, working
from zeke_jobs.client import reading
from zeke_jobs.config import Config
from zeke_jobs.core.context import Context
from zeke_jobs.errors import JobFailed

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "handlers.md"


class Site(Loopback):
    """Answers with the status that the path names."""

    def respond(self, asked: Asked) -> Answer:
        return Answer("some words and more words", int(asked.path.strip("/")), headers={"Retry-After": "600"})


@pytest.fixture
def site() -> Iterator[str]:
    with Site() as running:
        yield running.url


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Config]:
    with program(PAGE, tmp_path, "pages.py", "jobs.yaml", "test_pages.py") as config:
        yield config


@pytest.fixture
def worker(written: Config, conn: Connection, database: str) -> Iterator[None]:
    rows(conn, "CREATE TABLE page (url text PRIMARY KEY, text text)")
    with working(written, database):
        yield


@pytest.mark.usefixtures("worker")
def test_each_task_of_the_page_runs(conn: Connection, site: str) -> None:
    sent = zeke_jobs.send("fetch-page", {"url": f"{site}/200"})
    assert zeke_jobs.wait(sent.id, timeout=20) == {"characters": 25}
    (child,) = reading.jobs(parent=sent.id)
    assert zeke_jobs.wait(child.id, timeout=20) == 2
    assert zeke_jobs.wait(zeke_jobs.send("fetch-politely", {"url": f"{site}/200"}).id, timeout=20) == 25
    assert rows(conn, "SELECT 1 FROM zeke_jobs.lease") == []


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


@pytest.mark.usefixtures("written")
def test_the_tests_of_the_page_pass(tmp_path: Path, database: str) -> None:
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "test_pages.py",
    ]  # fmt: skip
    env = {**os.environ, "DATABASE_URL": database, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_name_of_the_context_is_on_the_page() -> None:
    names = {name for name in (*Context.__annotations__, *Context.__abstractmethods__) if not name.startswith("_")}
    assert {name for name in names if f"`ctx.{name}" not in PAGE.read_text()} == set()
