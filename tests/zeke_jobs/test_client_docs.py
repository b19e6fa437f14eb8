"""The examples of docs/sending.md and docs/sql.md run, and docs/command-line.md leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from zeke_jobs.cli.root import app
from zeke_jobs.payloads import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg2.extensions import connection as Connection

DOCS = Path(__file__).parents[2] / "docs"


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


@pytest.mark.parametrize("statement", [s for block in blocks("sql.md", "sql") for s in block.split(";") if s.strip()])
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


@pytest.mark.parametrize(
    ("command", "option"), [one for one in options(typer.main.get_command(app)) if not one[0].startswith("schedule")]
)
def test_every_command_and_option_is_documented(command: str, option: str) -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert f"`{command}" in page
    assert option in page
