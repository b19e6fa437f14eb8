"""The broker keeps the promises of Dramatiq's interface, or refuses with an alternative (docs/from-dramatiq.md)."""

import re

import dramatiq
import pytest
from dramatiq import group
from dramatiq.results import ResultFailure, ResultMissing, ResultTimeout
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Running, Stock, one_worker
from tests.zeke_jobs.worker.handlers import CALLS, GATE
from tests.zeke_jobs.worker.test_running import failure
from zeke_jobs.errors import JobFailed, UnknownTask
from zeke_jobs.worker.broker import JobBroker

TASKS = """
  echo: {handler: 'H:echo', retry: {limit: 0}}
  hold: {handler: 'H:gated', retry: {limit: 0}}
  told: {handler: 'H:told_of_shutdown', retry: {limit: 1, delay: 10m}}
  fail: {handler: 'H:fail', retry: {limit: 0}}
  tidies: {handler: 'H:tidies_up', timeout: 100ms, retry: {limit: 0}}
  carries-on: {handler: 'H:carries_on', timeout: 100ms, retry: {limit: 0}}
"""
worker = one_worker(TASKS)
MIDDLEWARE = "dramatiq.middleware"


# ── refusals ──


REFUSED = {
    **dict.fromkeys(("on_success", "pipe_ignore"), "ctx.send"),
    **dict.fromkeys(("on_failure", "on_retry_exhausted"), "on_failed:"),
    "max_retries": "retry=",
    "min_backoff": "retry:",
    "time_limit": "timeout=",
    "throws": "Reject",
    "store_results": "keep=",
    "result_ttl": "keep=",
    "periodic": "cron:",
}


def test_an_option_that_no_worker_obeys_is_refused(worker: JobBroker) -> None:
    for option, instead in REFUSED.items():
        with pytest.raises(TypeError, match=rf"'{option}'; .*{re.escape(instead)}"):
            worker.get_actor("echo").send_with_options(kwargs={"n": 1}, **{option: "echo"})


def test_a_pipeline_and_a_group_with_a_callback_send_nothing_and_say_so(running: Running, conn: Connection) -> None:
    with running(TASKS) as broker:
        echo = broker.get_actor("echo")
        with pytest.raises(TypeError, match="'pipe_target'; the handler sends the next job itself"):
            (echo.message(n=1) | echo.message(n=2)).run()
        several = group([echo.message(n=1)], broker=broker)
        several.add_completion_callback(echo.message(n=2))
        with pytest.raises(RuntimeError, match="GroupCallbacks"):
            several.run()
        with conn.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM zeke_jobs.queue")
            assert cursor.fetchone() == (0,)


def test_a_message_of_another_producer_after_which_others_should_run_fails_before_its_handler(
    running: Running, stock: Stock
) -> None:
    with running(TASKS):
        hold = stock("hold")
        for option in ("pipe_target", "on_success", "on_failure", "group_completion_callbacks"):
            message = hold.message(n=1).copy(options={option: "echo"})
            hold.broker.enqueue(message)
            with pytest.raises(JobFailed, match=f"no other job follows, got '{option}'"):
                zeke_jobs.wait(message.message_id, timeout=20)
    assert not CALLS


def test_positional_arguments_an_unknown_actor_and_a_direct_call_are_refused(worker: JobBroker) -> None:
    echo = worker.get_actor("echo")
    with pytest.raises(TypeError, match="expected the payload as keywords, got 2 positional"):
        echo.send(1, 2)
    with pytest.raises(TypeError, match=r"expected a job, got a call of its actor; send it: actor\.send"):
        echo(n=1)
    mine = dramatiq.actor(lambda: None, actor_name="mine", broker=worker, queue_name="default")
    with pytest.raises(UnknownTask):
        mine.send()


# ── promises ──


def test_a_group_runs_and_has_its_results_in_order(worker: JobBroker) -> None:
    echo = worker.get_actor("echo")
    inner = group([echo.message(n=1), echo.message(n=2)], broker=worker)
    outer = group([inner, echo.message(n=3)], broker=worker).run()
    (first, second), third = outer.get_results(block=True, timeout=20_000)
    assert [one["n"] for one in (first, second, third)] == [1, 2, 3]
    assert outer.completed
    assert outer.completed_count == 2


def test_the_result_of_a_failed_job_is_its_failure_and_one_that_has_not_ended_has_none(worker: JobBroker) -> None:
    with pytest.raises(ResultFailure, match="no luck") as failed:
        worker.get_actor("fail").send(n=1).get_result(block=True, timeout=20_000)
    assert (failed.value.orig_exc_type, failed.value.orig_exc_msg) == ("ValueError", "no luck with 1")
    waits = worker.get_actor("hold").send(n=1)
    with pytest.raises(ResultMissing):
        waits.get_result()
    with pytest.raises(ResultTimeout):
        waits.get_result(block=True, timeout=10)
    GATE.set()


@pytest.mark.usefixtures("worker")
def test_a_handler_may_catch_its_timeout_as_dramatiqs_exception() -> None:
    assert failure("tidies").error["type"] == "TimedOut"  # type: ignore[index]
    assert CALLS == ["tidied up"]
    assert "timeout of 0.1 s" in failure("carries-on").error["message"]  # type: ignore[index]
    assert CALLS == ["tidied up", "went on"]


def test_a_handler_may_be_told_of_its_workers_shutdown(running: Running) -> None:
    with running(TASKS, f"middleware: ['{MIDDLEWARE}:ShutdownNotifications']", stop_within=1_000) as broker:
        told = broker.get_actor("told").send_with_options(kwargs={"n": 1}, notify_shutdown=True)
        untold = broker.get_actor("told").send_with_options(kwargs={"n": 2})
        eventually(lambda: sorted(CALLS) == [1, 2])
    assert sorted(CALLS, key=str) == [1, 2, "shut down 1"]
    job = zeke_jobs.status(told.message_id)
    assert (job.status, job.retry_count, job.attempts[-1]["error"]["type"]) == ("retry", 0, "Shutdown")
    handed_back = zeke_jobs.status(untold.message_id)
    assert (handed_back.status, handed_back.attempts) == ("created", [])
