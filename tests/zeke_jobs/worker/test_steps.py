"""Checkpointed steps: a result is kept under the claim's fence, and no later attempt runs the step again."""

import asyncio
from copy import deepcopy
from uuid import uuid4

import pytest

import zeke_jobs
from tests.zeke_jobs.worker import flows, handlers
from tests.zeke_jobs.worker.conftest import Jobs, Running, a_claim, a_context
from zeke_jobs.client import reading
from zeke_jobs.errors import ClaimLost
from zeke_jobs.payload.json_text import UnfitForJson
from zeke_jobs.postgres.pool import Pool
from zeke_jobs.testing import FakeContext
from zeke_jobs.worker.run.job_context import JobContext

TASKS = """
  stepwise: {handler: 'F:stepwise', retry: {limit: 9, delay: 1ms}}
  stepwise-async: {handler: 'F:stepwise_async', retry: {limit: 9, delay: 1ms}}
  a: {handler: 'H:echo', keep: {completed: 0s}}
"""


def held(jobs: Jobs, pool: Pool) -> JobContext:
    """The context of a job that is claimed."""
    jobs.use(TASKS)
    jobs.add("a")
    claimed = jobs.claim(jobs.me, 1)[0]
    return a_context(pool, a_claim(claimed["message_id"], claimed["claim"], "a"), jobs.me)


@pytest.mark.parametrize("task", ["stepwise", "stepwise-async"])
def test_a_retry_gets_the_result_and_does_not_run_the_step_again(jobs: Jobs, running: Running, task: str) -> None:
    with running(TASKS):
        sent = zeke_jobs.send(task, {"n": 3})
        assert zeke_jobs.wait(sent.id, 10) == {"first": [1, 3], "second": "done", "attempt": 3}
    assert handlers.CALLS == ["first", "second"]
    assert reading.steps(sent.id) == ["first", "second"]


def test_names_are_unique_and_results_go_through_json_the_first_time_too(jobs: Jobs, pool: Pool) -> None:
    ctx = held(jobs, pool)
    pair: object = ctx.step("pair", lambda: (1, None))
    assert pair == [1, None]
    for name, words in (("pair", "'pair' twice"), ("", "1 to 256 bytes")):
        with pytest.raises(ValueError, match=words):
            ctx.step(name, int)
    for result in (object(), "x" * 1_100_000):
        with pytest.raises(UnfitForJson):
            ctx.step(f"unfit {type(result)}", deepcopy, result)


def test_in_a_transaction_a_step_is_kept_with_the_writes_or_not_at_all(jobs: Jobs, pool: Pool) -> None:
    ctx = held(jobs, pool)
    with pytest.raises(ValueError, match="no"), ctx.transaction():
        ctx.step("one", int)
        raise ValueError("no")
    assert jobs.rows("SELECT * FROM zeke_jobs.step") == []
    with ctx.transaction():
        ctx.step("two", int)
        assert jobs.rows("SELECT * FROM zeke_jobs.step") == []
    assert [row["name"] for row in jobs.rows("SELECT name FROM zeke_jobs.step")] == ["two"]


def test_a_step_is_not_kept_for_a_job_that_another_claim_has(jobs: Jobs, pool: Pool) -> None:
    ctx = held(jobs, pool)
    jobs.rows("UPDATE zeke_jobs.queue SET claim = claim + 1")
    with pytest.raises(ClaimLost, match="one was not kept"):
        ctx.step("one", int)
    assert jobs.rows("SELECT * FROM zeke_jobs.step") == []


def test_a_fake_context_runs_steps_and_takes_results_of_earlier_attempts() -> None:
    ctx = FakeContext(steps={"first": [7, 7]})
    assert flows.stepwise(handlers.Number(n=1), ctx) == {"first": [7, 7], "second": "done", "attempt": 1}
    assert ctx.steps == {"first": [7, 7], "second": "done"}
    assert handlers.CALLS == ["second"]
    ctx = FakeContext()
    answer = asyncio.run(flows.stepwise_async(handlers.Number(n=1), ctx))
    assert answer["first"] == [1, 1]
    assert ctx.job_id != uuid4()
