"""``zeke-jobs mcp``, asked by the client of the protocol's own SDK."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

import zeke_jobs
from tests.zeke_jobs.postgres.members import as_member, sign_up
from zeke_jobs.payload.model import Payload
from zeke_jobs.postgres import roles

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

mcp = pytest.importorskip("mcp")


JOBS = 'version: 1\ntasks: {tick: {handler: "tests.zeke_jobs.worker.handlers:echo"}}'


class Secret(Payload):
    word: str = ""
    token: str = ""


def ask(
    database: str, *questions: tuple[str, dict[str, Any]], program: str = "zeke_jobs"
) -> tuple[list[Any], list[Any]]:
    """The tools, and the answer to each question."""
    command = ["-c", f"from {program}.cli import main; main()", "mcp"]
    server = mcp.StdioServerParameters(
        command=sys.executable, args=command, env={**os.environ, "DATABASE_URL": database}
    )

    async def talk() -> tuple[list[Any], list[Any]]:
        async with mcp.stdio_client(server) as (reading, writing), mcp.ClientSession(reading, writing) as session:
            await session.initialize()
            listed = await session.list_tools()
            return listed.tools, [await session.call_tool(name, given) for name, given in questions]

    return asyncio.run(talk())


def everything(conn: Connection) -> list[Any]:
    with conn.cursor() as cursor:
        cursor.execute("SELECT q::text, q.xmin::text FROM zeke_jobs.queue AS q ORDER BY q.message_id")
        jobs = cursor.fetchall()
        cursor.execute("SELECT count(*), (SELECT count(*) FROM zeke_jobs.task) FROM zeke_jobs.revision")
        return [*jobs, *cursor.fetchall()]


@pytest.mark.parametrize("role", [None, roles.READER])
def test_an_agent_reads_and_cannot_write(
    database: str, conn: Connection, make_task: Callable[..., None], role: str | None
) -> None:
    make_task("keep", Secret, sensitive=["token"])
    sign_up(conn)
    login = as_member(database, role) if role else database
    sent = zeke_jobs.send("keep", {"word": "w" * 70_000, "token": "hush"})
    brief = zeke_jobs.send("keep", {"token": "hush"})
    before = everything(conn)
    tools, answers = ask(
        login,
        ("why", {"job_id": str(brief.id)}),
        ("status", {"job_id": str(brief.id)}),
        ("jobs", {"task": "keep", "status": "created", "limit": 1}),
        ("jobs", {}),
        ("doctor", {}),
        ("limits", {}),
        ("schedule", {}),
        ("plan", {"text": JOBS}),
        ("plan", {"text": "version: 1\ntasks: {}\nnonsense: 1"}),
        ("why", {"job_id": "--help"}),
    )
    assert {tool.name for tool in tools} == {"why", "status", "jobs", "doctor", "limits", "schedule", "plan"}
    assert all(tool.annotations.read_only_hint for tool in tools)
    texts = [answer.content[0].text for answer in answers]
    why, status, listed, long, doctor, limits, schedule, planned, plan, wrong = texts
    assert [answer.is_error for answer in answers] == [False] * 8 + [True] * 2
    assert json.loads(why)["id"] == json.loads(status)["id"] == json.loads(listed)[0]["id"] == str(brief.id)
    assert json.loads(status)["data"] == {"token": "***"}
    assert str(sent.id) in long
    assert len(long) < 61_000
    assert long.endswith("ask for less")
    assert "hush" not in "".join(texts)
    assert json.loads(doctor)["healthy"] is False
    assert json.loads(limits) == json.loads(schedule) == []
    assert json.loads(planned)["pending"] is True
    assert "nonsense" in plan
    assert "--help" in wrong
    assert everything(conn) == before
