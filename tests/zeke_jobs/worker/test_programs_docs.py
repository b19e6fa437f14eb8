"""The programs on pages of the documentation work as described."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sentry_sdk
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.waiting import eventually
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import Patch
from tests.zeke_jobs.worker.test_middleware import Kept, end
from tests.zeke_jobs.working import program, working
from zeke_jobs.client import reading
from zeke_jobs.config import Config
from zeke_jobs.core.context import Context
from zeke_jobs.errors import JobFailed

ROOT = Path(__file__).parents[3]
HANDLERS, RECIPES, ASYNC, TRACKERS = (
    ROOT / "docs" / f"{page}.md" for page in ("handlers", "recipes", "async", "error-trackers")
)


class Site(Loopback):
    def respond(self, asked: Asked) -> Answer:
        return Answer("some words and more words", int(asked.path.strip("/")), headers={"Retry-After": "600"})


@pytest.fixture
def site() -> Iterator[str]:
    with Site() as running:
        yield running.url


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Config]:
    with program(HANDLERS, tmp_path, "pages.py", "jobs.yaml", "test_pages.py") as config:
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
def test_chain() -> None:
    zeke_jobs.send("fetch", {"n": 4})
    (job,) = eventually(lambda: ended("resize"))
    assert job.output == 9


def test_chord(recipes: Any) -> None:
    recipes.import_file([1, 2, -3])
    (job,) = eventually(lambda: ended("report"))
    assert job.output == "import-42: 3 measured, 1 failed"


def test_steps(recipes: Any) -> None:
    sent = zeke_jobs.send("summarize", {"name": "why"})
    assert zeke_jobs.wait(sent.id, 20) == "WHY"
    assert recipes.ASKED == ["why"]


def test_saga(recipes: Any) -> None:
    zeke_jobs.send("book-trip", {"n": 0})
    (job,) = eventually(lambda: ended("undo-trip"))
    assert (job.status, recipes.DONE) == ("completed", [])
    zeke_jobs.wait(zeke_jobs.send("book-trip", {"n": 1}).id, 20)
    assert recipes.DONE == ["flight", "hotel", "car"]


def test_debounce(recipes: Any) -> None:
    for length in range(5):
        recipes.edited("a story", length)
    (job,) = eventually(lambda: ended("index"))
    assert [(one.name, one.completed) for one in recipes.INDEXED] == [("a story", 4)]
    assert (job.run_at - job.created_on).total_seconds() >= 2


def test_strict_order(recipes: Any) -> None:
    for n in range(1, 5):
        zeke_jobs.send("book", {"n": n}, key="account/7")
    assert eventually(lambda: len(ended("book")) == 4)
    assert recipes.BOOKED == [1, 2, 3, 4]


def test_approval(recipes: Any) -> None:
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
            assert [zeke_jobs.wait(one.id, timeout=20) for one in sent] == [
                {"characters": len(f'{{"question": "why {n}"}}') - 1} for n in range(2, 31)
            ]
            (told,) = reading.jobs(parent=sent[0].id)
            zeke_jobs.wait(told.id, timeout=20)
            texts = zeke_jobs.send_many("embed", [{"text": "one"}, {"text": "two"}])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in texts] == ["one", "two"]
    assert value(conn, "SELECT count(*) FROM question WHERE answer LIKE '%why%'") == 30
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '' AND datname = current_database() AND pid <> pg_backend_pid()"
    assert value(conn, open_) == 0
    assert len(clients) == 1


FIRST, ONLY_LAST, SHOP = range(3)


@pytest.fixture
def sent(monkeypatch: Patch) -> Iterator[Kept]:
    """Collect the events that the page's programs send to Sentry, by another transport for ``sentry_sdk.init``."""
    kept, init = Kept(), sentry_sdk.init
    monkeypatch.setenv("SENTRY_DSN", "http://key@127.0.0.1:1/1")
    monkeypatch.setattr(sentry_sdk, "init", lambda **options: init(**options, transport=kept))
    yield kept
    end()


@pytest.mark.parametrize(
    ("parts", "outcomes"), [((FIRST, SHOP), ["retry", "failed"]), ((FIRST, ONLY_LAST, SHOP), ["failed"])]
)
def test_three_lines_connect_sentry(
    parts: tuple[int, ...],
    outcomes: list[str],
    tmp_path: Path,
    database: str,
    sent: Kept,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        program(TRACKERS, tmp_path, "shop.py", "tracker.py", "jobs.yaml", parts=parts) as config,
        working(config, database, threads=2),
    ):
        job = zeke_jobs.send("send-mail", {"to": "ada@example.org"})
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job.id, timeout=30)
        report = (
            f"send-mail {job.id}: ConnectionError: the mail server is unreachable, with {{'to': 'ada@example.org'}}"
        )
        (child,) = zeke_jobs.jobs(parent=job.id)
        assert zeke_jobs.wait(child.id, timeout=30) == report
        eventually(lambda: len(sent.events) >= len(outcomes))
    assert [event["tags"]["outcome"] for event in sent.events] == outcomes
    frame = sent.events[-1]["exception"]["values"][-1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].split("(")[0].strip()) == ("send_mail", "raise ConnectionError")
    lines = [record.getMessage() for record in caplog.records if record.name == "tracker"]
    assert lines == [f"send-mail({job.id})"]
