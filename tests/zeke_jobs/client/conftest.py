"""Fixtures of the client's tests: tasks that take any payload."""

import pytest

from tests.zeke_jobs.commands import MakeTask


@pytest.fixture(autouse=True)
def catalogue(make_task: MakeTask) -> None:
    make_task("anything", aliases=["whatever"])
    make_task("other", queue="second")
