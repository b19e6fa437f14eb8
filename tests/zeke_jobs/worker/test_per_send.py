"""Options of a send replace the task's retries, timeout and retention, and can give a unique key."""

from datetime import timedelta
from typing import Any

import psycopg2
import pytest

import zeke_jobs
from tests.zeke_jobs.worker.conftest import Jobs, Running, ended
from zeke_jobs.errors import JobFailed
from zeke_jobs.worker.life import chores

TASKS = """
  a: {handler: 'H:echo', retry: {limit: 2}, timeout: 5m, keep: {completed: 1d}}
  bounded: {handler: 'H:echo', per_send: {retry: 5, timeout: 10s, keep: 2d}}
  fail: {handler: 'H:fail', retry: {limit: 0}}
  wait-long: {handler: 'H:wait_async', retry: {limit: 0}}
"""


def test_a_send_grants_retries_and_names_their_delay(jobs: Jobs, running: Running) -> None:
    with running(TASKS):
        job = ended(zeke_jobs.send("fail", retry={"limit": 2, "delay": 0.001}).id)
    assert [one["outcome"] for one in job.attempts] == ["retry", "retry", "failed"]


def test_a_send_shortens_the_timeout(running: Running) -> None:
    with running(TASKS), pytest.raises(JobFailed, match=r"it ran longer than its timeout of 0\.05 s"):
        zeke_jobs.wait(zeke_jobs.send("wait-long", timeout=timedelta(milliseconds=50)).id, 20)


def test_a_send_keeps_its_job_for_longer_or_shorter_however_it_ends(jobs: Jobs) -> None:
    jobs.use(TASKS)
    jobs.at()
    long, short, usual = (zeke_jobs.send("a", keep=keep).id for keep in (timedelta(days=3), 60, None))
    failed = zeke_jobs.send("a", keep=60).id
    claims = {claim["message_id"]: claim for claim in jobs.claim(jobs.me, 4)}
    jobs.complete(jobs.me, [claims[long], claims[short], claims[usual]])
    jobs.finish(jobs.me, claims[failed], "failed")
    for days, left in ((61 / 86_400, {long, usual}), (2, {long}), (3.1, set())):
        jobs.at(days * 86_400)
        chores.purge(jobs.conn)
        assert {row["message_id"] for row in jobs.rows("SELECT message_id FROM zeke_jobs.queue")} == left
    states = jobs.rows(
        "SELECT id, state::text FROM zeke_jobs.history WHERE id = ANY (%s::uuid[])", [str(failed), str(short)]
    )
    assert {row["id"]: row["state"] for row in states} == {failed: "failed", short: "completed"}


def test_a_unique_key_of_the_callers_own_holds_while_queued_or_active(jobs: Jobs) -> None:
    jobs.use(TASKS)
    first = zeke_jobs.send("a", {"n": 1}, unique_key="tenant 7")
    again = zeke_jobs.send("a", {"n": 2}, unique_key="tenant 7")
    assert (again.id, again.duplicate) == (first.id, True)
    assert not zeke_jobs.send("bounded", unique_key="tenant 7").duplicate  # Another task may use the same unique key.
    claims = jobs.claim(jobs.me, 1, ["a"])
    assert zeke_jobs.send("a", unique_key="tenant 7").duplicate
    jobs.complete(jobs.me, claims)
    assert not zeke_jobs.send("a", unique_key="tenant 7").duplicate


@pytest.mark.parametrize(
    "option", [{"retry": 6}, {"retry": {"limit": 6}}, {"timeout": 11}, {"keep": timedelta(days=3)}]
)
def test_a_task_bounds_what_its_sends_may_ask(jobs: Jobs, option: Any) -> None:
    jobs.use(TASKS)
    for send in (lambda: zeke_jobs.send("bounded", **option), lambda: zeke_jobs.send_many("bounded", [{}], **option)):
        with pytest.raises(ValueError, match="per_send of bounded"):
            send()
    zeke_jobs.send("bounded", retry=5, timeout=10, keep=timedelta(days=2))
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="per_send of bounded"):
        jobs.add("bounded", options='{"retry": 6}')
    assert len(jobs.rows("SELECT 1 FROM zeke_jobs.queue")) == 1


def test_sql_takes_intervals(jobs: Jobs) -> None:
    jobs.use(TASKS)
    (job,) = jobs.add(
        "a", options='{"retry": {"limit": 7, "delay": "2 minutes"}, "timeout": "1 hour", "keep": "90 days"}'
    )
    row = jobs.row(job)
    assert row["message"]["options"] == {"retry": {"limit": 7, "delay": 120}, "timeout": 3600}
    assert row["keep"] == "90 days"
    assert jobs.rows("SELECT retry_limit FROM zeke_jobs.job WHERE id = %s", job) == [{"retry_limit": 7}]
