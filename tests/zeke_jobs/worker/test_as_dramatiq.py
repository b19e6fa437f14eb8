"""The broker keeps the promises of docs/from-dramatiq.md, and takes jobs of an unmodified dramatiq-pg producer."""

import re
from typing import Any

import dramatiq
import pytest
from dramatiq import group
from dramatiq.errors import DecodeError
from dramatiq.results import ResultFailure, ResultMissing, ResultTimeout
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Jobs, Running, Stock, failure, one_worker
from tests.zeke_jobs.worker.handlers import CALLS, GATE
from zeke_jobs.errors import JobFailed, UnknownTask
from zeke_jobs.worker.broker import JobBroker

TASKS = """
  echo: {handler: 'H:echo', retry: {limit: 0}}
  hold: {handler: 'H:gated', retry: {limit: 0}}
  told: {handler: 'H:told_of_shutdown', retry: {limit: 1, delay: 10m}}
  fail: {handler: 'H:fail', retry: {limit: 0}}
  tidies: {handler: 'H:tidies_up', timeout: 100ms, retry: {limit: 0}}
"""
worker = one_worker(TASKS)


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


def test_what_no_worker_obeys_is_refused_and_sends_nothing(worker: JobBroker, table: Jobs) -> None:
    echo, before = worker.get_actor("echo"), table.rows("SELECT count(*) FROM zeke_jobs.queue")
    for option, instead in REFUSED.items():
        with pytest.raises(TypeError, match=rf"'{option}'; .*{re.escape(instead)}"):
            echo.send_with_options(kwargs={"n": 1}, **{option: "echo"})
    with pytest.raises(TypeError, match="'pipe_target'; the handler sends the next job itself"):
        (echo.message(n=1) | echo.message(n=2)).run()
    several = group([echo.message(n=1)], broker=worker)
    several.add_completion_callback(echo.message(n=2))
    with pytest.raises(RuntimeError, match="GroupCallbacks"):
        several.run()
    with pytest.raises(TypeError, match="expected the payload as keywords, got 2 positional"):
        echo.send(1, 2)
    with pytest.raises(TypeError, match=r"expected a job, got a call of its actor; send it: actor\.send"):
        echo(n=1)
    mine = dramatiq.actor(lambda: None, actor_name="mine", broker=worker, queue_name="default")
    with pytest.raises(UnknownTask):
        mine.send()
    assert table.rows("SELECT count(*) FROM zeke_jobs.queue") == before


def test_a_foreign_message_that_others_should_follow_fails_before_its_handler(running: Running, stock: Stock) -> None:
    with running(TASKS):
        hold = stock("hold")
        for option in ("pipe_target", "on_success", "on_failure", "group_completion_callbacks"):
            message = hold.message(n=1).copy(options={option: "echo"})
            hold.broker.enqueue(message)
            with pytest.raises(JobFailed, match=f"no other job follows, got '{option}'"):
                zeke_jobs.wait(message.message_id, timeout=20)
    assert not CALLS


def test_a_group_has_its_results_in_order_a_failed_job_its_failure_and_an_unended_one_none(worker: JobBroker) -> None:
    echo = worker.get_actor("echo")
    inner = group([echo.message(n=1), echo.message(n=2)], broker=worker)
    outer = group([inner, echo.message(n=3)], broker=worker).run()
    (first, second), third = outer.get_results(block=True, timeout=20_000)
    assert [one["n"] for one in (first, second, third)] == [1, 2, 3]
    assert (outer.completed, outer.completed_count) == (True, 2)
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
    for goes_on in (0, 1):
        assert "timeout of 0.1 s" in failure("tidies", {"n": goes_on}).error["message"]  # type: ignore[index]
    assert CALLS == ["tidied up"] * 2


def test_a_handler_may_be_told_of_its_workers_shutdown(running: Running) -> None:
    with running(TASKS, "middleware: ['dramatiq.middleware:ShutdownNotifications']", stop_within=1_000) as broker:
        told = broker.get_actor("told").send_with_options(kwargs={"n": 1}, notify_shutdown=True)
        untold = broker.get_actor("told").send_with_options(kwargs={"n": 2})
        eventually(lambda: sorted(CALLS) == [1, 2])
    assert sorted(CALLS, key=str) == [1, 2, "shut down 1"]
    job = zeke_jobs.status(told.message_id)
    assert (job.status, job.retry_count, job.attempts[-1]["error"]["type"]) == ("retry", 0, "Shutdown")
    handed_back = zeke_jobs.status(untold.message_id)
    assert (handed_back.status, handed_back.attempts) == ("created", [])


def test_its_message_becomes_a_job_like_ours_also_by_an_alias_or_waits_for_its_task(jobs: Jobs, stock: Stock) -> None:
    jobs.use("  echo: {handler: 'H:echo', priority: 4, queue: fast, aliases: [old-echo]}")
    stock("unheard-of").send(n=3)
    for name in ("echo", "old-echo"):
        message = stock(name).send(n=3)
        (claim,) = jobs.claim(jobs.me, 9, queue="fast")
        assert str(claim["message_id"]) == message.message_id
        row = jobs.row(claim["message_id"])
        assert (row["task"], row["priority"], row["revision"]) == ("echo", 4, 1)
        assert (row["message"]["actor_name"], row["message"]["kwargs"]) == ("echo", {"n": 3})
    assert jobs.claim(jobs.worker(), 9) == []
    assert jobs.rows("SELECT task FROM zeke_jobs.queue WHERE state = 'queued'") == [{"task": "unheard-of"}]


SENT = """
  echo: {handler: 'H:echo', retry: {limit: 0}}
  slowly: {handler: 'H:slowly'}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 200ms}}
  large: {handler: 'H:slowly'}
"""


def test_its_producer_is_told_of_a_result_a_failure_or_one_too_large(stock: Stock, running: Running) -> None:
    slowly, fail, large = (stock(name, results=True) for name in ("slowly", "fail", "large"))
    told = {"__t": "dramatiq.results.Result", "exn": {"type": "ValueError", "msg": "no luck with 3"}}
    waiting: dict[str, Any] = {"backend": slowly.broker.backend, "block": True, "timeout": 20_000}
    with running(SENT):
        assert [slowly.send(n=n).get_result(**waiting) for n in (1, 2, 3)] == [1, 2, 3]
        failed, message = fail.send(n=3), large.send(story_id="large")
        with pytest.raises(DecodeError, match=r"has 8002 bytes, more than .*get_result\(block=False\) has it"):
            message.get_result(**waiting)
        assert failed.get_result(**waiting) == told
    assert failed.get_result(backend=fail.broker.backend) == told
    assert zeke_jobs.status(failed.message_id).output is None
    for block in (False, True):
        assert message.get_result(backend=large.broker.backend, block=block) == "x" * 8000


def test_its_producer_alone_is_told_of_a_cancellation(stock: Stock, jobs: Jobs, other_conn: Connection) -> None:
    jobs.use(SENT)
    echo = stock("echo", results=True)
    message = echo.send(n=1)
    with pytest.raises(ResultMissing):
        message.get_result(backend=echo.broker.backend)
    zeke_jobs.cancel(message.message_id, "no longer needed")
    told = {"__t": "dramatiq.results.Result", "exn": {"type": "cancelled", "msg": "no longer needed"}}
    assert message.get_result(backend=echo.broker.backend) == told
    [job] = jobs.add("echo")
    other_conn.cursor().execute(f'LISTEN "dramatiq.{job}.results"')
    jobs.end()
    other_conn.cursor().execute("SELECT 1")
    assert other_conn.notifies == []
    zeke_jobs.retry(message.message_id)
    with pytest.raises(ResultMissing):
        message.get_result(backend=echo.broker.backend)
