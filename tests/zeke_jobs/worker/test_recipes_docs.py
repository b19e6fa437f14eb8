"""Runs each recipe of docs/recipes.md with a real worker, and checks its promise."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.working import program, working

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory, module_database: str) -> Iterator[Any]:
    """The page's program, and a worker that runs it."""
    with (
        pytest.MonkeyPatch.context() as patch,
        program(PAGE, tmp_path_factory.mktemp("recipes"), "recipes.py", "jobs.yaml") as config,
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
