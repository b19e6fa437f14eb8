"""The client of the official MCP SDK uses ``zeke-jobs mcp``."""

import asyncio
import json
import os
import sys
from importlib.util import find_spec
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import query
from tests.zeke_jobs.commands import Cli, MakeTask, Patch
from tests.zeke_jobs.postgres.members import as_member, sign_up
from zeke_jobs.cli.operation import mcp as questions
from zeke_jobs.postgres import roles

if find_spec("mcp") is None:
    pytest.skip("the package mcp is not installed", allow_module_level=True)


class Secret(zeke_jobs.Payload):
    word: str = ""
    token: str = ""


def ask(
    database: str, *questions: tuple[str, dict[str, Any]], program: str = "zeke_jobs", then: Any = lambda _: None
) -> tuple[list[Any], list[Any]]:
    """Return the MCP server's tools and its answers. ``then`` maps the last answer to a further question, or to None."""
    import mcp  # The import takes half a second, so only the process that needs it pays.

    command, env = ["-c", f"from {program}.cli import main; main()", "mcp"], {**os.environ, "DATABASE_URL": database}
    server = mcp.StdioServerParameters(command=sys.executable, args=command, env=env)

    async def talk() -> tuple[list[Any], list[Any]]:
        async with mcp.stdio_client(server) as (reading, writing), mcp.ClientSession(reading, writing) as session:
            await session.initialize()
            listed = await session.list_tools()
            answers = [await session.call_tool(name, given) for name, given in questions]
            while more := then(answers[-1]):
                answers.append(await session.call_tool(*more))
            return listed.tools, answers

    return asyncio.run(talk())


def everything(conn: Connection) -> list[Any]:
    jobs = query(conn, "SELECT q::text, q.xmin::text FROM zeke_jobs.queue AS q ORDER BY q.message_id")
    return [*jobs, *query(conn, "SELECT count(*), (SELECT count(*) FROM zeke_jobs.task) FROM zeke_jobs.revision")]


@pytest.fixture
def reader(database: str, conn: Connection, make_task: MakeTask) -> str:
    """Make a task with a sensitive field; return the URL of a login that may only read."""
    make_task("keep", Secret, sensitive=["token"])
    sign_up(conn)
    return as_member(database, roles.READER)


def test_an_agent_reads_and_cannot_write(reader: str, conn: Connection) -> None:
    job = str(zeke_jobs.send("keep", {"token": "hush"}).id)
    before = everything(conn)
    tools, answers = ask(reader, ("status", {"job_id": job}), ("why", {"job_id": "--help"}))
    assert {tool.name for tool in tools} == {"why", "status", "jobs", "doctor", "limits", "schedule", "plan"}
    assert all(tool.annotations.read_only_hint for tool in tools)
    status, wrong = (answer.content[0].text for answer in answers)
    assert [answer.is_error for answer in answers] == [False, True]
    assert (json.loads(status)["id"], json.loads(status)["data"]) == (job, {"token": "***"})
    assert "--help" in wrong
    assert everything(conn) == before


def test_each_question_is_its_command_s_answer(reader: str, monkeypatch: Patch, cli: Cli) -> None:
    sent = zeke_jobs.send("keep", {"word": "w" * 70_000, "token": "hush"})
    brief = str(zeke_jobs.send("keep", {"token": "hush"}).id)
    monkeypatch.setenv("DATABASE_URL", reader)
    # The command that answers a question runs in this process.
    monkeypatch.setattr(questions, "output", lambda _main, *words, **_: cli(*words).out)
    assert json.loads(questions.why(brief))["id"] == json.loads(questions.status(brief))["id"] == brief
    assert [one["id"] for one in json.loads(questions.jobs("keep", "created", limit=1))] == [brief]
    assert json.loads(questions.doctor())["healthy"] is False
    assert json.loads(questions.limits()) == json.loads(questions.schedule()) == []
    long = questions.jobs()
    assert str(sent.id) in long
    assert len(long) < 61_000
    assert long.endswith("ask for less")
    assert "hush" not in long
