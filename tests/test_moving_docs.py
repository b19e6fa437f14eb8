"""docs/from-pg-boss.md and docs/from-celery.md: every export has its equivalent, and the examples run."""

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import query
from zeke_jobs import config
from zeke_jobs.testing import FakeContext

DOCS = Path(__file__).parents[1] / "docs"
PG_BOSS, CELERY = ((DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("from-pg-boss", "from-celery"))
EXPORTS = ["./schema-task", "./client", "./boss", "./schema", "./tasks"]
NAMES = ["schemaTask", "tasks.trigger", "logger", "sendJob", "getJobStatus", "getBoss"]
NAMES += ["concurrencyLimit", "cron", "worker:dev"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def moved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The page's Python, as the module that its jobs.yaml names."""
    module = types.ModuleType("moved")
    monkeypatch.setitem(sys.modules, "moved", module)
    [code] = blocks(request.param, "python")
    exec(code, module.__dict__)
    return module


@pytest.mark.parametrize("name", [*EXPORTS, *NAMES])
def test_each_export_has_an_equivalent(name: str) -> None:
    there = [line.split(" | ")[0] for line in PG_BOSS.splitlines() if line.startswith("| ")]
    assert any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", cell) for cell in there)


@pytest.mark.parametrize("moved", [PG_BOSS], indirect=True)
def test_the_example_of_pg_boss_is_a_good_file_and_runs(moved: Any) -> None:
    [text] = blocks(PG_BOSS, "yaml")
    loaded = config.load_text(text, "jobs.yaml")
    assert loaded.tasks["tag-item"].concurrency.limit == 5
    ctx = FakeContext()
    item = moved.Item.model_validate({"itemId": "7a1c2b7e-9f43-4c80-8a3f-1d6f2f3f5a10"})
    assert moved.tag_item(item, ctx) == {"tagged": True}
    assert [(call.task, call.payload) for call in ctx.sent] == [("index-item", {"item_id": str(item.item_id)})]


@pytest.mark.parametrize("moved", [CELERY], indirect=True)
def test_the_example_of_celery_is_a_good_file_and_runs(moved: Any) -> None:
    [text] = blocks(CELERY, "yaml")
    rate = config.load_text(text, "jobs.yaml").tasks["thumbnail"].rate
    assert rate is not None
    assert moved.thumbnail(moved.Picture(path="a.png"), FakeContext()) == "a.png@200"


@pytest.mark.parametrize("statement", [s for block in blocks(PG_BOSS, "sql") for s in block.split(";\n") if s.strip()])
def test_the_queries_run(conn: Connection, statement: str) -> None:
    query(conn, statement)
