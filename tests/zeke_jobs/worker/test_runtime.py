"""Services open at their first use, and no thread waits for another service."""

from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.worker.handlers import GATE
from zeke_jobs.worker.runtime import Runtime

OPENED: list[str] = []


class Named(BaseModel):
    """The name of the service decides what ``open`` does."""

    name: str

    def open(self) -> Self:
        OPENED.append(f"opening {self.name}")
        if self.name == "slow":
            GATE.wait(10)
        OPENED.append(self.name)
        return self

    def close(self) -> None:
        OPENED.append(f"closed {self.name}")
        if self.name == "breaks":
            raise RuntimeError("no luck")


@pytest.fixture(autouse=True)
def nothing_opened() -> None:
    OPENED.clear()


def runtime(**names: str) -> Runtime:
    lines = "".join(f"  {key}: {{use: '{__name__}:Named', name: {name}}}\n" for key, name in names.items())
    return Runtime(load("  echo: {handler: 'H:echo'}", f"services:\n{lines}"))


def test_a_service_opens_beside_another_and_each_of_them_once() -> None:
    here = runtime(slow="slow", quick="quick")
    with ThreadPoolExecutor(3) as threads:
        slow = threads.submit(here.service, "slow")
        eventually(lambda: OPENED == ["opening slow"])
        again = threads.submit(here.service, "slow")
        threads.submit(here.service, "quick").result(5)
        GATE.set()
        assert slow.result(5) is again.result(5)
    assert OPENED == ["opening slow", "opening quick", "quick", "slow"]


def test_a_service_whose_settings_changed_is_opened_anew() -> None:
    here = runtime(one="old")
    before = here.service("one")
    here.use(runtime(one="old", two="other").config, 2)
    assert here.service("one") is before
    here.use(runtime(one="new").config, 3)
    assert here.service("one").name == "new"


def test_a_service_that_cannot_be_closed_keeps_no_other_open() -> None:
    here = runtime(breaks="breaks", one="one")
    here.service("breaks"), here.service("one")
    OPENED.clear()
    with capture_logs() as lines:
        here.close()
    assert OPENED == ["closed breaks", "closed one"]
    assert [line["service"] for line in lines] == ["breaks"]
