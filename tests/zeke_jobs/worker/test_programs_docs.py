"""The programs on pages of the documentation work as described."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import Patch
from tests.zeke_jobs.working import program, working
from zeke_jobs.client import reading
from zeke_jobs.config import Config
from zeke_jobs.core.context import Context
from zeke_jobs.errors import JobFailed

ROOT = Path(__file__).parents[3]
PAGES = ("handlers", "recipes", "async", "error-trackers")
HANDLERS, RECIPES, ASYNC, TRACKERS = (ROOT / "docs" / f"{page}.md" for page in PAGES)


class Site(Loopback):
    def respond(self, asked: Asked) -> Answer:
        return Answer("some words and more words", int(asked.path.strip("/")), headers={"Retry-After": "600"})


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Config]:
    with program(HANDLERS, tmp_path, "pages.py", "jobs.yaml", "test_pages.py") as config:
        yield config


def test_the_pages_tasks_run_and_each_failure_ends_as_it_says(written: Config, conn: Connection, database: str) -> None:
    rows(conn, "CREATE TABLE page (url text PRIMARY KEY, text text)")

    def sent(path: str, task: str = "fetch-page") -> UUID:
        return zeke_jobs.send(task, {"url": f"{site.url}/{path}"}).id

    with Site() as site, working(written, database):
        page = sent("200")
        assert zeke_jobs.wait(page, timeout=20) == {"characters": 25}
        (child,) = reading.jobs(parent=page)
        assert zeke_jobs.wait(child.id, timeout=20) == 2
        assert zeke_jobs.wait(sent("200", "fetch-politely"), timeout=20) == 25
        assert rows(conn, "SELECT 1 FROM zeke_jobs.lease") == []
        gone = sent("410")
        with pytest.raises(JobFailed, match="gone for good"):
            zeke_jobs.wait(gone, timeout=20)
        assert zeke_jobs.status(gone).retry_count == 0
        asked, broken = sent("429"), sent("500")
        assert eventually(lambda: zeke_jobs.status(asked).waiting_for) == "the site asked to wait"
        assert eventually(lambda: zeke_jobs.status(broken).error)["type"] == "HTTPStatusError"
        silent = zeke_jobs.send("fetch-page", {"url": "http://127.0.0.1:9/"}).id
        assert eventually(lambda: zeke_jobs.status(silent).error)["message"] == "nobody answers"


@pytest.mark.usefixtures("written")
def test_the_tests_of_the_page_pass(tmp_path: Path, database: str) -> None:
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    command = [sys.executable, "-m", "pytest", *options, "test_pages.py"]
    env = {**os.environ, "DATABASE_URL": database, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_name_of_the_context_is_on_the_page() -> None:
    names = {name for name in (*Context.__annotations__, *Context.__abstractmethods__) if not name.startswith("_")}
    assert {name for name in names if f"`ctx.{name}" not in HANDLERS.read_text()} == set()


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory, module_database: str) -> Iterator[Any]:
    with (
        pytest.MonkeyPatch.context() as patch,
        program(RECIPES, tmp_path_factory.mktemp("recipes"), "recipes.py", "jobs.yaml") as config,
    ):
        patch.setenv("DATABASE_URL", module_database)
        with working(config, module_database):
            yield importlib.import_module("recipes")


def ended(task: str) -> list[zeke_jobs.Job]:
    return [job for job in zeke_jobs.jobs(task=task) if job.has_ended]


@pytest.mark.usefixtures("recipes")
def test_chain_chord_steps_and_saga(recipes: Any) -> None:
    zeke_jobs.send("fetch", {"n": 4})
    (job,) = eventually(lambda: ended("resize"))
    assert job.output == 9
    recipes.import_file([1, 2, -3])
    (job,) = eventually(lambda: ended("report"))
    assert job.output == "import-42: 3 measured, 1 failed"
    assert zeke_jobs.wait(zeke_jobs.send("summarize", {"name": "why"}).id, 20) == "WHY"
    assert recipes.ASKED == ["why"]
    zeke_jobs.send("book-trip", {"n": 0})
    (job,) = eventually(lambda: ended("undo-trip"))
    assert (job.status, recipes.DONE) == ("completed", [])
    zeke_jobs.wait(zeke_jobs.send("book-trip", {"n": 1}).id, 20)
    assert recipes.DONE == ["flight", "hotel", "car"]


def test_debounce_strict_order_and_approval(recipes: Any) -> None:
    for length in range(5):
        recipes.edited("a story", length)
    (job,) = eventually(lambda: ended("index"))
    assert [(one.name, one.completed) for one in recipes.INDEXED] == [("a story", 4)]
    assert (job.run_at - job.created_on).total_seconds() >= 2
    for n in range(1, 5):
        zeke_jobs.send("book", {"n": n}, key="account/7")
    assert eventually(lambda: len(ended("book")) == 4)
    assert recipes.BOOKED == [1, 2, 3, 4]
    first, second = (zeke_jobs.send("publish", {"n": n}).id for n in (7, 8))
    assert eventually(lambda: zeke_jobs.status(first).waiting_for == "event approval/7")
    recipes.approve(7, "Ada")
    recipes.approve(8, "Bob")
    assert [zeke_jobs.wait(job, 20) for job in (first, second)] == ["approved by Ada", "approved by Bob"]


class Model(Loopback):
    def respond(self, asked: Asked) -> Answer:
        return Answer(asked.body)


def test_the_page_has_one_client_and_pool(conn: Connection, database: str, tmp_path: Path, monkeypatch: Patch) -> None:
    clients, init = list[Any](), httpx.AsyncClient.__init__

    def counted(client: Any, **said: Any) -> None:
        clients.append(client)
        init(client, **said)

    monkeypatch.setattr(httpx.AsyncClient, "__init__", counted)
    rows(conn, "CREATE TABLE question (id int PRIMARY KEY, text text, answer text)")
    rows(conn, "INSERT INTO question SELECT n, 'why ' || n FROM generate_series(1, 30) AS n")
    with Model() as model:
        monkeypatch.setenv("EMBEDDINGS_URL", url := f"{model.url}/")
        with program(ASYNC, tmp_path, "ask.py", "jobs.yaml") as config, working(config, database):
            zeke_jobs.wait(zeke_jobs.send("answer", {"id": 1, "url": url}).id, timeout=20)
            sent = zeke_jobs.send_many("answer", [{"id": n, "url": url} for n in range(2, 31)])
            answers = [zeke_jobs.wait(one.id, timeout=20) for one in sent]
            assert answers == [{"characters": len(f'{{"question": "why {n}"}}') - 1} for n in range(2, 31)]
            (told,) = reading.jobs(parent=sent[0].id)
            zeke_jobs.wait(told.id, timeout=20)
            texts = zeke_jobs.send_many("embed", [{"text": "one"}, {"text": "two"}])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in texts] == ["one", "two"]
    assert value(conn, "SELECT count(*) FROM question WHERE answer LIKE '%why%'") == 30
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '' AND datname = current_database() AND pid <> pg_backend_pid()"
    assert value(conn, open_) == 0
    assert len(clients) == 1


FIRST, ONLY_LAST, SHOP = range(3)


@pytest.mark.parametrize("outcomes", [["retry", "failed"], ["failed"]])
def test_three_lines_connect_sentry(
    outcomes: list[str], tmp_path: Path, database: str, sentry: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    parts = (FIRST, SHOP) if "retry" in outcomes else (FIRST, ONLY_LAST, SHOP)
    files = program(TRACKERS, tmp_path, "shop.py", "tracker.py", "jobs.yaml", parts=parts)
    with files as config, working(config, database, threads=2):
        job = zeke_jobs.send("send-mail", {"to": "ada@example.org"})
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job.id, timeout=30)
        (child,) = zeke_jobs.jobs(parent=job.id)
        said = "ConnectionError: the mail server is unreachable, with {'to': 'ada@example.org'}"
        assert zeke_jobs.wait(child.id, timeout=30) == f"send-mail {job.id}: {said}"
        eventually(lambda: len(sentry) >= len(outcomes))
    assert [event["tags"]["outcome"] for event in sentry] == outcomes
    last = sentry[-1]
    assert [last["tags"][name] for name in ("task", "job_id", "attempt")] == ["send-mail", str(job.id), "2"]
    assert last["contexts"]["dramatiq"]["data"]["kwargs"] == {"to": "ada@example.org"}
    frame = last["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].split("(")[0].strip()) == ("send_mail", "raise ConnectionError")
    assert "payload" in frame["vars"]
    lines = [record.getMessage() for record in caplog.records if record.name == "tracker"]
    assert lines == [f"send-mail({job.id})"]
