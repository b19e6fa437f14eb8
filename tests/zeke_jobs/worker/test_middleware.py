"""Dramatiq's middleware and sentry-sdk's unmodified integration work with jobs. Failing middleware blocks no job."""

import json
import logging
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.integrations.dramatiq import DramatiqIntegration

import zeke_jobs
from tests.each import cases
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Jobs, Running, ended, failure, one_worker, outcome
from tests.zeke_jobs.worker.middleware import HEARD

M = "tests.zeke_jobs.worker.middleware"
TASKS = """
  echo: {handler: 'H:echo'}
  echo-async: {handler: 'H:echo_async'}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 0s}}
  chain: {handler: 'H:chain'}
  ends: {handler: 'H:ends', retry: {limit: 2, delay: 5m}}
  fail-async: {handler: 'H:fail_async', retry: {limit: 0}}
  slow: {handler: 'H:spin', timeout: 100ms, retry: {limit: 0}}
  signup: {handler: 'H:sign_up', retry: {limit: 0}, sensitive: [email]}
"""
worker = one_worker(TASKS, f"middleware: ['{M}:Recorder']")


@pytest.fixture(autouse=True)
def nothing_heard() -> None:
    HEARD.clear()


def heard(*kinds: str) -> list[Any]:
    return [what for kind, what in list(HEARD) if kind in kinds]


def settled(*wanted: str, count: int = 1) -> list[Any]:
    """Wait for ``count`` calls of these kinds, because a job's end is written before all hooks have run."""
    eventually(lambda: len(heard(*wanted)) >= count)
    return heard(*wanted)


@pytest.mark.usefixtures("worker")
def test_it_is_told_of_ends_and_no_log_has_a_payload(caplog: pytest.LogCaptureFixture) -> None:
    outcome("echo", {"n": 3})
    outcome("echo-async", {"n": 4})
    outcome("chain", {"n": 1})
    settled("acknowledged", count=4)
    assert heard("before")[:3] == ["echo", "echo-async", "chain"]
    assert heard("after")[:2] == [{"n": 3, "attempt": 1, "task": "echo"}, 4]
    assert {"sent": 1} in heard("after")
    assert set(heard("acknowledged")) == {False}
    HEARD.clear()
    caplog.set_level(logging.DEBUG, logger="dramatiq")
    failure("fail", {"n": 3})
    settled("rejected")
    assert [repr(error) for error in heard("after")] == ["ValueError('no luck with 3')"] * 2
    assert heard("is") == ["error", "error"]
    assert (heard("acknowledged"), heard("rejected")) == ([False], [True])
    failure("signup", {"email": "ada@example.org"})
    settled("rejected", count=2)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("dramatiq.worker")]
    assert any("signup(" in line for line in ours)
    assert not any("ada@example.org" in line or "unhandled exception" in line for line in ours)


@pytest.mark.usefixtures("worker")
def test_what_a_handler_says_to_the_engine_is_no_error() -> None:
    for end in ("defer", "reject", "retry"):
        ended(zeke_jobs.send("ends", {"story_id": end}).id)
    told = settled("is", count=5)
    assert (told[0], "error" in told) == ("expected", False)


def test_what_it_skips_is_completed_without_a_start_unless_it_fails_it_too(running: Running) -> None:
    with running(TASKS, f"middleware: ['{M}:Recorder', '{M}:Skips']"):
        assert outcome("echo") is None
        assert settled("skipped") == [False]
    assert heard("after") == []
    with running(TASKS, f"middleware: [{{use: '{M}:Skips', fails: true}}]"):
        job = failure("echo")
    assert job.error is not None
    assert (job.error["type"], job.retry_count) == ("SkipMessage", 0)
    assert job.error["message"] == "a middleware skipped it before its handler began: out of stock"


def test_a_message_that_it_fails_afterwards_is_a_failed_job(running: Running) -> None:
    with running(TASKS, f"middleware: ['{M}:Fails']"):
        assert [len(failure(task).attempts) for task in ("echo", "fail")] == [1, 1]


HOOKS = [f"{when}_{what}" for what in ("process_message", "ack", "nack") for when in ("before", "after")]


@cases("hooks what", (HOOKS, "error"), (HOOKS[1:], "exit"), (HOOKS[:1], "exit"), (HOOKS[:1], "middleware"))
def test_what_it_raises_strands_none(
    running: Running, hooks: list[str], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    tasks = "\n  echo: {handler: 'H:echo', retry: {limit: 0}}\n  fail: {handler: 'H:fail', retry: {limit: 0}}"
    raising = ", ".join(f"{{use: '{M}:Raises', hook: {hook}, what: {what}}}" for hook in hooks)
    with running(tasks, f"middleware: [{raising}]", threads=1) as broker:
        for _ in range(2):  # The worker has one thread, so the second job needs the thread of the first.
            sent = [ended(zeke_jobs.send(task).id) for task in ("echo", "fail")]
        eventually(lambda: not broker.process.held.all())
    assert [job.status for job in sent] == ["failed" if hooks == HOOKS[:1] else "completed", "failed"]


def test_options_of_a_message_that_a_middleware_declares_go_with_it(running: Running, jobs: Jobs) -> None:
    with running(TASKS, "middleware: ['dramatiq.middleware:AgeLimit']") as broker:
        eventually(jobs.idle)
        echo = broker.get_actor("echo")
        stale = echo.send_with_options(kwargs={"n": 1}, delay=300, max_age=1)
        fresh = echo.send_with_options(kwargs={"n": 2}, max_age=60_000, retry=0)
        assert zeke_jobs.wait(fresh.message_id, timeout=20) == {"n": 2, "attempt": 1, "task": "echo"}
        with pytest.raises(zeke_jobs.errors.JobFailed):
            zeke_jobs.wait(stale.message_id, timeout=20)
        with pytest.raises(TypeError, match="got 'priorty'; did you mean 'priority'"):
            echo.send_with_options(kwargs={"n": 3}, priorty=1)


def test_a_rate_limiter_of_dramatiqs_lets_a_job_wait_without_a_retry(running: Running, jobs: Jobs) -> None:
    with running("\n  one-by-one: {handler: 'H:one_by_one', retry: {limit: 0}}", threads=2):
        ids = [job.id for job in zeke_jobs.send_many("one-by-one", [{"n": 1}, {"n": 2}])]
        assert sorted(zeke_jobs.wait(job, timeout=30) for job in ids) == [1, 1]  # The handlers never overlap.
    attempts = [attempt for job in ids for attempt in zeke_jobs.status(job).attempts]
    assert {attempt["outcome"] for attempt in attempts} == {"deferred"}
    assert {zeke_jobs.status(job).retry_count for job in ids} == {0}


def test_a_timeout_is_an_event_and_sensitive_fields_are_not_sent(running: Running, sentry: list[Any]) -> None:
    sentry_sdk.init(integrations=[DramatiqIntegration()], max_request_body_size="always")
    with running(TASKS, threads=1):
        failure("slow")
        sentry_sdk.capture_message("between jobs")
        failure("fail-async")
        failure("signup", {"email": "ada.lovelace@example.org", "pin": 4711})
        eventually(lambda: len(sentry) == 4)
    late, between, awaited, event = sentry
    for failed, kind, handler in ((late, "TimedOut", "spin"), (awaited, "ValueError", "fail_async")):
        [error] = failed["exception"]["values"]
        assert (error["type"], error["stacktrace"]["frames"][-1]["function"]) == (kind, handler)
    assert "task" not in (between.get("tags") or {})
    assert "ada.lovelace@example.org" not in json.dumps(event)
    assert event["contexts"]["dramatiq"]["data"]["kwargs"] == {"email": "***", "pin": 4711}
    [error] = event["exception"]["values"]
    assert error["value"].startswith("no mail to ***")
    assert all("vars" not in frame for frame in error["stacktrace"]["frames"])
