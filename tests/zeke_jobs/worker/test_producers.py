"""An unmodified dramatiq-pg producer sends jobs to the table."""

import pytest
from dramatiq.actor import Actor
from dramatiq.errors import DecodeError
from dramatiq.results import ResultMissing
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.worker.conftest import Jobs, Running, Stock


def test_its_message_becomes_a_job_with_what_ours_have(jobs: Jobs, stock: Stock) -> None:
    jobs.use("  echo: {handler: 'H:echo', priority: 4, queue: fast}")
    message = stock("echo").send(n=3)
    (claim,) = jobs.claim(jobs.worker(), 1, queue="fast")
    assert str(claim["message_id"]) == message.message_id
    row = jobs.row(claim["message_id"])
    assert (row["task"], row["priority"], row["revision"]) == ("echo", 4, 1)
    assert row["message"]["kwargs"] == {"n": 3}


def test_an_alias_becomes_the_canonical_id(jobs: Jobs, stock: Stock) -> None:
    jobs.use("  echo: {handler: 'H:echo', aliases: [old-echo]}")
    stock("old-echo").send(n=3)
    (row,) = jobs.rows("SELECT task, message->>'actor_name' AS actor FROM zeke_jobs.queue")
    assert row == {"task": "echo", "actor": "echo"}


def test_a_task_that_nobody_knows_waits_and_is_kept(jobs: Jobs, stock: Stock) -> None:
    jobs.use("  echo: {handler: 'H:echo'}")
    stock("unheard-of").send(n=3)
    assert jobs.claim(jobs.worker(), 1) == []
    (row,) = jobs.rows("SELECT task, state FROM zeke_jobs.queue")
    assert row == {"task": "unheard-of", "state": "queued"}


# ── result backend of dramatiq-pg ──

TASKS = """
  echo: {handler: 'H:echo', retry: {limit: 0}}
  slowly: {handler: 'H:slowly'}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 200ms}}
  large: {handler: 'H:large'}
"""


def result(actor: Actor, *, block: bool = True, **payload: int) -> object:
    return actor.send(**payload).get_result(backend=actor.broker.backend, block=block, timeout=20_000)


def test_its_producer_waits_for_a_result_and_gets_it(stock: Stock, running: Running) -> None:
    slowly = stock("slowly", results=True)
    with running(TASKS):
        assert [result(slowly, n=n) for n in (1, 2, 3)] == [1, 2, 3]


def test_its_producer_is_told_of_a_failure_after_the_last_retry(stock: Stock, running: Running) -> None:
    fail = stock("fail", results=True)
    told = {"__t": "dramatiq.results.Result", "exn": {"type": "ValueError", "msg": "no luck with 3"}}
    with running(TASKS):
        message = fail.send(n=3)
        assert message.get_result(backend=fail.broker.backend, block=True, timeout=20_000) == told
    assert message.get_result(backend=fail.broker.backend) == told
    assert zeke_jobs.status(message.message_id).output is None


def test_its_producer_is_told_of_a_cancellation(stock: Stock, jobs: Jobs) -> None:
    jobs.use(TASKS)
    echo = stock("echo", results=True)
    message = echo.send(n=1)
    with pytest.raises(ResultMissing):
        message.get_result(backend=echo.broker.backend)
    zeke_jobs.cancel(message.message_id, "no longer needed")
    told = {"__t": "dramatiq.results.Result", "exn": {"type": "cancelled", "msg": "no longer needed"}}
    assert message.get_result(backend=echo.broker.backend) == told
    zeke_jobs.retry(message.message_id)
    with pytest.raises(ResultMissing):
        message.get_result(backend=echo.broker.backend)


def test_its_producer_is_told_that_a_result_is_too_large_for_a_notification(stock: Stock, running: Running) -> None:
    large = stock("large", results=True)
    with running(TASKS):
        message = large.send()
        with pytest.raises(DecodeError, match=r"has 8002 bytes, more than .*get_result\(block=False\) has it"):
            message.get_result(backend=large.broker.backend, block=True, timeout=20_000)
    assert message.get_result(backend=large.broker.backend) == "x" * 8000
    assert message.get_result(backend=large.broker.backend, block=True) == "x" * 8000


def test_jobs_of_other_senders_notify_no_producer(jobs: Jobs, other_conn: Connection) -> None:
    jobs.use(TASKS)
    [job] = jobs.add("echo")
    other_conn.cursor().execute(f'LISTEN "dramatiq.{job}.results"')
    jobs.end()
    other_conn.cursor().execute("SELECT 1")
    assert other_conn.notifies == []
