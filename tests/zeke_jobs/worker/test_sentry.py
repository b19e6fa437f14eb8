"""sentry-sdk's unmodified integration for Dramatiq works with the three lines of the guide."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.dramatiq import DramatiqIntegration
from sentry_sdk.transport import Transport

from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Running
from tests.zeke_jobs.worker.test_middleware import TASKS
from tests.zeke_jobs.worker.test_running import failure, outcome


class Kept(Transport):
    """The transport keeps events instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Any) -> None:
        for item in envelope.items:
            if (event := item.get_event()) is not None:
                self.events.append(json.loads(json.dumps(event, default=str)))


@pytest.fixture
def sentry() -> Iterator[Callable[..., Kept]]:
    """Initialise sentry-sdk as a program does."""

    def start(**options: Any) -> Kept:
        kept = Kept()
        sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", integrations=[DramatiqIntegration()], transport=kept, **options)
        return kept

    yield start
    end()


def end() -> None:
    """Shut sentry-sdk down, because its integrations would change the environment of other tests' processes."""
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.parametrize("module", [f"tests.zeke_jobs.worker.{name}" for name in ("handlers", "coroutines")])
def test_each_failed_attempt_is_one_event_with_its_job_and_the_handlers_frames(
    running: Running, sentry: Callable[..., Kept], module: str
) -> None:
    kept = sentry()
    with running(TASKS.replace("H:fail'", f"{module}:fail'")):
        outcome("echo")
        job = failure("fail", {"n": 3})
        eventually(lambda: len(kept.events) >= 2)
    last = kept.events[-1]
    assert [event["tags"]["attempt"] for event in kept.events] == ["1", "2"]
    assert [event["tags"]["outcome"] for event in kept.events] == ["retry", "failed"]
    assert {(event["tags"]["task"], event["tags"]["job_id"]) for event in kept.events} == {("fail", str(job.id))}
    [error] = last["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "no luck with 3")
    frame = error["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["module"]) == ("fail", module)
    assert "raise ValueError" in frame["context_line"]
    assert "payload" in frame["vars"]
    assert last["contexts"]["dramatiq"]["data"]["kwargs"] == {"n": 3}
    assert last["transaction"] == "fail"


def test_a_job_whose_time_is_up_is_an_event(running: Running, sentry: Callable[..., Kept]) -> None:
    kept = sentry()
    with running(TASKS):
        failure("slow")
        eventually(lambda: kept.events)
    [error] = kept.events[0]["exception"]["values"]
    assert (error["type"], error["stacktrace"]["frames"][-1]["function"]) == ("TimedOut", "spin")


def test_nothing_of_a_sensitive_field_is_sent(running: Running, sentry: Callable[..., Kept]) -> None:
    kept = sentry(max_request_body_size="always")
    with running(TASKS):
        failure("signup", {"email": "ada.lovelace@example.org", "pin": 4711})
        eventually(lambda: kept.events)
    [event] = kept.events
    said = json.dumps(event)
    assert "ada.lovelace@example.org" not in said
    assert event["contexts"]["dramatiq"]["data"]["kwargs"] == {"email": "***", "pin": 4711}
    assert event["exception"]["values"][0]["value"].startswith("no mail to ***")
    assert all("vars" not in frame for frame in event["exception"]["values"][0]["stacktrace"]["frames"])


def test_the_tags_of_one_job_are_not_on_the_events_of_the_next(running: Running, sentry: Callable[..., Kept]) -> None:
    kept = sentry()
    with running(TASKS, threads=1):
        outcome("echo")
        sentry_sdk.capture_message("between jobs")
    assert "task" not in (kept.events[0].get("tags") or {})
