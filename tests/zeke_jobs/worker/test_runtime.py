"""Services open at their first use, and no thread waits for another service."""

import threading
import time
from typing import Any

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.worker.runtime import Runtime

TASKS = "  echo: {handler: 'H:echo'}"
GATE = threading.Event()
OPENED: list[str] = []


class Opened:
    def __init__(self, name: str) -> None:
        self.name = name

    def close(self) -> None:
        OPENED.append(f"closed {self.name}")
        if self.name == "breaks":
            raise RuntimeError("no luck")


class Fast(BaseModel):
    name: str = "fast"

    def open(self) -> Opened:
        OPENED.append(self.name)
        return Opened(self.name)


class Slow(Fast):
    def open(self) -> Opened:
        OPENED.append("opening")
        GATE.wait(10)
        return super().open()


@pytest.fixture(autouse=True)
def fresh() -> None:
    GATE.clear()
    OPENED.clear()


def runtime(**services: str) -> Runtime:
    lines = "".join(f"  {name}: {{use: '{__name__}:{model}', name: {name}}}\n" for name, model in services.items())
    return Runtime(load(TASKS, f"services:\n{lines}"))


def beside(function: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def opening(of: Runtime) -> threading.Thread:
    """A thread that opens the slow service, and is in the middle of it."""
    thread = beside(of.service, "slow")
    end = time.monotonic() + 5
    while "opening" not in OPENED:
        assert time.monotonic() < end
        time.sleep(0.001)
    return thread


def test_a_service_opens_beside_another_and_each_of_them_once() -> None:
    here = runtime(slow="Slow", quick="Fast")
    threads = [opening(here), beside(here.service, "slow"), beside(here.service, "quick")]
    threads[-1].join(5)
    assert OPENED == ["opening", "quick"]
    GATE.set()
    for thread in threads:
        thread.join(5)
    assert OPENED == ["opening", "quick", "slow"]
    assert here.service("slow") is here.service("slow")


def test_a_service_whose_settings_changed_is_opened_anew() -> None:
    here = runtime(one="Fast")
    before = here.service("one")
    here.use(runtime(one="Fast", two="Fast").config, 2)
    assert here.service("one") is before
    here.use(load(TASKS, f"services: {{one: {{use: '{__name__}:Fast', name: new}}}}"), 3)
    assert here.service("one").name == "new"


def test_a_service_that_cannot_be_closed_keeps_no_other_open() -> None:
    here = runtime(breaks="Fast", one="Fast")
    here.service("breaks"), here.service("one")
    with capture_logs() as lines:
        here.close()
    assert OPENED[2:] == ["closed breaks", "closed one"]
    assert [line["service"] for line in lines] == ["breaks"]
