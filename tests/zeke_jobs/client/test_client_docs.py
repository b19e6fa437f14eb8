"""The examples of docs/sending.md and docs/sql.md run, and docs/command-line.md leaves nothing out."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import typer.main

from tests.each import each
from zeke_jobs.cli.root import app
from zeke_jobs.payload.model import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import connection as Connection

DOCS = Path(__file__).parents[3] / "docs"


class Oneoff(Payload):
    url: str


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def tasks(make_task: Callable[..., None]) -> None:
    make_task("ingest-oneoff", Oneoff)


def test_the_python_examples_run_and_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    examples = blocks("sending.md", "python")
    assert len(examples) > 5
    for example in examples:
        exec(compile(example, "docs/sending.md", "exec"), names)
        printed = capsys.readouterr().out
        if printed:
            assert "".join(f"# {line}\n" for line in printed.splitlines()) in example


def talk(monkeypatch: pytest.MonkeyPatch, conn: Connection, ask: Callable[..., Any]) -> None:
    """Make the page's API, let ``ask`` talk to it after one good and one bad submission."""
    with conn.cursor() as cursor:
        cursor.execute("CREATE TABLE submission (url text PRIMARY KEY, note text NOT NULL CHECK (note <> 'bad'))")
    (example,) = (block for block in blocks("sending.md", "python") if "FastAPI(" in block)
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(example, "docs/sending.md", "exec"), module.__dict__)

    async def run() -> None:
        transport = httpx.ASGITransport(app=module.app, raise_app_exceptions=False)
        async with (
            module.app.router.lifespan_context(module.app),
            httpx.AsyncClient(transport=transport, base_url="http://api") as api,
        ):
            made = await api.post("/submissions", json={"url": "https://example.org/a"})
            refused = await api.post("/submissions", json={"url": "https://example.org/b", "note": "bad"})
            assert (made.status_code, refused.status_code) == (202, 500)
            await ask(api, made.json()["job"])

    asyncio.run(run())
    with conn.cursor() as cursor:
        cursor.execute("SELECT s.url, j.data ->> 'url' FROM submission AS s CROSS JOIN zeke_jobs.job AS j")
        assert cursor.fetchall() == [("https://example.org/a", "https://example.org/a")]


def test_the_fastapi_example_on_an_event_loop_sends_in_its_transaction_and_waits(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(api: httpx.AsyncClient, job: str) -> None:
        waiting = asyncio.create_task(api.get(f"/jobs/{job}/output"))
        await asyncio.sleep(0.1)
        with conn.cursor() as cursor:
            cursor.execute("UPDATE zeke_jobs.queue SET state = 'done', result = '7', completed_on = now()")
        assert (await waiting).json() == {"output": 7}

    talk(monkeypatch, conn, ask)


@each("statement", [s for block in blocks("sql.md", "sql") for s in block.split(";") if s.strip()])
def test_the_sql_examples_run(conn: Connection, statement: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(statement)
        cursor.fetchall()


def options(command: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for name, sub in getattr(command, "commands", {}).items():
        yield from options(sub, f"{path} {name}".strip())
    for param in command.params:
        for option in param.opts:
            if option.startswith("--") and option != "--help":
                yield path, option
    yield path, ""


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    there = [one for one in options(typer.main.get_command(app())) if not one[0].startswith("schedule")]
    assert [one for one in there if f"`{one[0]}" not in page or one[1] not in page] == []
