"""These fixtures add tasks to the catalogue without a jobs.yaml, and run the command line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import BaseModel

from tests.zeke_jobs.commands import Ran
from tests.zeke_jobs.sql import rows
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run


@pytest.fixture
def make_task(conn: Connection) -> Callable[..., None]:
    """Write a task into the catalogue of ``database``: ``make_task("a-task", Model, max_queued=3, …)``."""

    def make(task_id: str, model: type[BaseModel] | None = None, **columns: Any) -> None:
        schema = None if model is None else json.dumps(model.model_json_schema(by_alias=False))
        usual = {"queue": "default", "definition": "{}", "payload_schema": schema, "revision": 1}
        row = {"id": task_id, **usual, **columns}
        names = ", ".join(row)
        values = ", ".join(f"%({name})s" for name in row)
        changes = ", ".join(f"{name} = excluded.{name}" for name in row)
        insert = f"INSERT INTO zeke_jobs.task ({names}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changes}"
        conn.cursor().execute(insert, row)

    return make


@pytest.fixture
def woken(other_conn: Connection) -> Callable[[], list[str]]:
    """Listen for wake-ups; each call returns the payloads since the last call. A payload names a process and a queue."""
    rows(other_conn, 'LISTEN "zeke_jobs.wake"')

    def take() -> list[str]:
        rows(other_conn, "SELECT 1")
        found, other_conn.notifies[:] = [notify.payload for notify in other_conn.notifies], []
        return found

    return take


@pytest.fixture
def heard(woken: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """Return the queues for which processes were woken since the last call."""
    return lambda: sorted(payload.split(" ")[1] for payload in woken())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command: ``cli("send", "a-task", "--json").json``."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        return Ran(run(app, "zeke-jobs", [str(argument) for argument in arguments]), *capsys.readouterr())

    return call
