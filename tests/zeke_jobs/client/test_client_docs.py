"""The examples of docs/sending.md and docs/sql.md run."""

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import asyncpg
import httpx
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import MakeTask, Patch
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.testing.blocks import blocks as titled
from tests.zeke_jobs.working import working
from zeke_jobs import config

DOCS = Path(__file__).parents[3] / "docs"
SUBMISSIONS = "CREATE TABLE submission (url text PRIMARY KEY, note text NOT NULL CHECK (note <> 'bad'))"
STORED = "SELECT s.url, j.data ->> 'url' FROM submission AS s CROSS JOIN zeke_jobs.job AS j"


class Oneoff(zeke_jobs.Payload):
    url: str


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def tasks(make_task: MakeTask) -> None:
    make_task("ingest-oneoff", Oneoff)


def test_the_python_examples_run_and_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    examples = blocks("sending.md", "python")
    assert len(examples) > 5
    for example in examples:
        exec(compile(example, "docs/sending.md", "exec", dont_inherit=True), names)
        printed = capsys.readouterr().out
        if printed:
            assert "".join(f"# {line}\n" for line in printed.splitlines()) in example


def example(word: str) -> str:
    """Find the program in docs/sending.md that contains a word."""
    (found,) = (block for block in blocks("sending.md", "python") if word in block)
    return found


def load(name: str, monkeypatch: Patch, *texts: str) -> ModuleType:
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    for text in texts:
        exec(compile(text, "docs/sending.md", "exec", dont_inherit=True), module.__dict__)
    return module


@pytest.mark.anyio
async def test_the_fastapi_example_sends_in_its_sessions_transaction(conn: Connection, monkeypatch: Patch) -> None:
    rows(conn, SUBMISSIONS)
    app = load("example", monkeypatch, example("FastAPI()")).app
    api = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://api")
    async with app.router.lifespan_context(app), api:
        good, bad = {"url": "https://example.org/a"}, {"url": "https://example.org/b", "note": "bad"}
        made, *others = [await api.post("/submissions", json=one) for one in (good, bad, good)]
        assert [one.status_code for one in (made, *others)] == [202, 500, 500]
        assert str(zeke_jobs.status(made.json()["job"]).id) == made.json()["job"]
    assert rows(conn, STORED) == [("https://example.org/a", "https://example.org/a")]


@pytest.mark.anyio
async def test_the_example_on_a_loop_sends_and_waits(conn: Connection, database: str, monkeypatch: Patch) -> None:
    rows(conn, SUBMISSIONS)
    submit = load("example", monkeypatch, example("asyncpg.Pool")).submit
    end = "UPDATE zeke_jobs.queue SET state = 'done', result = '7', completed_on = now() RETURNING 1"
    async with asyncpg.create_pool(database, min_size=0) as pool:
        with pytest.raises(asyncpg.CheckViolationError):
            await submit(pool, "https://example.org/b", "bad")
        output = asyncio.create_task(submit(pool, "https://example.org/a", ""))
        while await pool.fetchval(end) is None:
            pass
        assert await output == 7
    assert rows(conn, STORED) == [("https://example.org/a", "https://example.org/a")]


@each("statement", [s for block in blocks("sql.md", "sql") for s in block.split(";") if s.strip()])
def test_the_sql_examples_run(conn: Connection, statement: str) -> None:
    rows(conn, statement)


@pytest.fixture
def stored(conn: Connection, monkeypatch: Patch) -> ModuleType:
    """Create the table of the FastAPI example; return a module with the example and its handlers."""
    rows(conn, SUBMISSIONS)
    return load("stored_by_handlers", monkeypatch, example("FastAPI()"), *titled(DOCS / "sending.md", "handlers.py"))


def test_a_session_in_a_handler_is_part_of_its_transaction(conn: Connection, database: str, stored: ModuleType) -> None:
    import sqlalchemy

    def breaks(payload: Any, ctx: zeke_jobs.Context) -> None:
        with ctx.transaction() as connection:
            ours: Any = {"creator": lambda: connection, "poolclass": sqlalchemy.StaticPool}
            engine = sqlalchemy.create_engine("postgresql+psycopg2://", **ours)
            with stored.Session(engine) as session:
                session.add(stored.Stored(url="b", note=""))
                session.commit()
            raise ValueError("after the commit of the session")

    breaks.__annotations__["payload"] = stored.Url
    stored.__dict__["breaks"] = breaks
    text = "version: 1\ndefaults: {retry: {limit: 0}}\ntasks:\n"
    text += "".join(f'  {name}: {{handler: "stored_by_handlers:{name}"}}\n' for name in ("store", "breaks"))
    with working(config.load_text(text, "jobs.yaml"), database):
        zeke_jobs.wait(zeke_jobs.send("store", {"url": "a"}).id, 20)
        with pytest.raises(zeke_jobs.errors.JobFailed):
            zeke_jobs.wait(zeke_jobs.send("breaks", {"url": "b"}).id, 20)
        zeke_jobs.wait(zeke_jobs.send("store", {"url": "c"}).id, 20)
    stored_ = rows(conn, "SELECT url, note LIKE 'job %' FROM submission ORDER BY url")
    assert stored_ == [("a", True), ("c", True)]


@pytest.mark.filterwarnings("ignore:Did not recognize type")
def test_alembic_leaves_our_schemas_alone(conn: Connection, stored: ModuleType) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    options: dict[str, Any] = {}
    names = {**stored.__dict__, "context": SimpleNamespace(configure=options.update), "connection": None}
    # The schema public has the tables of zeke-news, but the example needs it empty.
    conn.cursor().execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    stored.Base.metadata.create_all(stored.engine)
    (text,) = titled(DOCS / "sending.md", "env.py")
    exec(compile(text, "docs/sending.md", "exec", dont_inherit=True), names)
    with stored.engine.connect() as connection:

        def changes(**opts: Any) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"include_schemas": True, **opts})
            found: list[Any] = compare_metadata(context, stored.Base.metadata)
            return found

        assert changes(include_name=options["include_name"]) == []
        assert {change[0] for change in changes() if isinstance(change, tuple)} >= {"remove_table"}
    stored.engine.dispose()
