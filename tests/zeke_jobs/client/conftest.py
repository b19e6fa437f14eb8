"""For the client's tests, these fixtures add tasks that take any payload, and run coroutines on asyncio."""

import pytest

from tests.zeke_jobs.commands import MakeTask


@pytest.fixture(autouse=True)
def catalogue(make_task: MakeTask) -> None:
    make_task("anything", aliases=["whatever"])
    make_task("other", queue="second")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
