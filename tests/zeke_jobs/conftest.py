"""Fixtures of these tests: tasks in the catalogue, without a jobs.yaml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection
    from pydantic import BaseModel


@pytest.fixture
def make_task(conn: Connection) -> Callable[..., None]:
    """Writes a task into the catalogue of ``database``: ``make_task("a-task", Model, max_queued=3, …)``."""

    def make(task_id: str, model: type[BaseModel] | None = None, **columns: Any) -> None:
        schema = None if model is None else json.dumps(model.model_json_schema(by_alias=False))
        row = {
            "id": task_id,
            "queue": "default",
            "definition": "{}",
            "payload_schema": schema,
            "revision": 1,
            **columns,
        }
        names = ", ".join(row)
        values = ", ".join(f"%({name})s" for name in row)
        changes = ", ".join(f"{name} = excluded.{name}" for name in row)
        with conn.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO zeke_jobs.task ({names}) VALUES ({values}) ON CONFLICT (id) DO UPDATE SET {changes}", row
            )

    return make
