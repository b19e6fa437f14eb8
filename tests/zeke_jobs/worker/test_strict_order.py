"""In strict order only the oldest job of a key may run, even while it waits for a retry or has failed."""

from typing import Any
from uuid import UUID

import pytest

import zeke_jobs
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.diagnosis import why
from zeke_jobs.postgres.queries import SQL

TASKS = """
  hold: {handler: 'F:record', order: strict, retry: {limit: 9}}
  skip: {handler: 'F:record', order: strict, after_failure: skip, retry: {limit: 9}}
  later: {handler: 'F:record', concurrency: {per_key: 1}}
"""


@pytest.fixture
def jobs(jobs: Jobs) -> Jobs:
    jobs.use(TASKS)
    jobs.at()
    return jobs


def send(task: str, *keys: str, **options: Any) -> list[UUID]:
    return [zeke_jobs.send(task, {"n": n}, key=key, **options).id for n, key in enumerate(keys)]


def claimed(jobs: Jobs, want: int = 10) -> dict[UUID, dict[str, Any]]:
    return {row["message_id"]: row for row in jobs.claim(jobs.me, want)}


def test_the_oldest_job_of_each_key_runs_alone(jobs: Jobs) -> None:
    ids = send("hold", "a", "a", "b", "a")
    without = {zeke_jobs.send("hold").id for _ in range(2)}
    first = claimed(jobs)
    assert set(first) == {ids[0], ids[2], *without}, "jobs without a key are in no line"
    assert claimed(jobs) == {}
    jobs.complete(jobs.me, [first[ids[0]]])
    assert set(claimed(jobs)) == {ids[1]}


def test_age_decides_and_not_priority_or_when_a_job_is_due(jobs: Jobs) -> None:
    (late,) = send("hold", "a", delay=60)
    send("hold", "a", priority=50)
    assert claimed(jobs) == {}
    jobs.at(61)
    assert set(claimed(jobs)) == {late}


def test_a_job_that_waits_for_a_retry_holds_its_key(jobs: Jobs) -> None:
    first, second = send("hold", "a", "a")
    jobs.finish(jobs.me, claimed(jobs)[first], "retry", delay=60.0)
    assert claimed(jobs) == {}
    jobs.at(61)
    again = claimed(jobs)
    assert set(again) == {first}
    jobs.complete(jobs.me, list(again.values()))
    assert set(claimed(jobs)) == {second}


@pytest.mark.parametrize("release", [zeke_jobs.retry, zeke_jobs.cancel])
def test_a_failed_job_holds_its_key_until_it_is_retried_or_cancelled(jobs: Jobs, release: Any) -> None:
    first, second = send("hold", "a", "a")
    claim = claimed(jobs)[first]
    jobs.rows("UPDATE zeke_jobs.queue SET started_on = zeke_jobs.now() WHERE message_id = %s", first)
    jobs.finish(jobs.me, claim, "failed")
    assert claimed(jobs) == {}
    released = release(first)
    assert released.changed
    assert "before it started" not in released.note
    found = claimed(jobs)
    assert set(found) == ({first} if release is zeke_jobs.retry else {second})
    assert zeke_jobs.status(first).status == ("active" if release is zeke_jobs.retry else "cancelled")


def test_a_failed_job_is_skipped_where_the_task_says_so(jobs: Jobs) -> None:
    first, second = send("skip", "a", "a")
    jobs.finish(jobs.me, claimed(jobs)[first], "failed")
    assert set(claimed(jobs)) == {second}
    assert not zeke_jobs.cancel(first).changed


def test_a_cancelled_job_lets_the_next_one_run_and_rings(jobs: Jobs, heard: Any) -> None:
    first, second = send("hold", "a", "a", delay=60)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", second)
    jobs.rows("UPDATE zeke_jobs.worker SET idle = '{default}' WHERE id = %s", jobs.me)
    zeke_jobs.cancel(first)
    assert "default" in heard()
    assert set(claimed(jobs)) == {second}


def test_a_suspect_that_is_not_the_oldest_waits_its_turn(jobs: Jobs) -> None:
    first, second = send("hold", "a", "a")
    claimed(jobs)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", second)
    jobs.at(21)
    SQL.all(jobs.conn, "worker/rescue")
    other = jobs.worker()
    assert [row["message_id"] for row in jobs.claim(other, 8)] == [first]
    assert jobs.claim(jobs.worker(), 8, is_empty=True) == []


def test_a_task_that_gets_an_order_puts_its_jobs_in_line_and_one_that_loses_it_takes_them_out(jobs: Jobs) -> None:
    first, second = send("later", "a", "a", delay=60)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", second)
    jobs.use("  later: {handler: 'F:record', order: strict}")
    assert claimed(jobs) == {}
    jobs.use("  later: {handler: 'F:record', concurrency: {per_key: 1}}")
    assert set(claimed(jobs)) == {second}
    assert first


def test_why_names_the_one_before(jobs: Jobs) -> None:
    first, second = send("hold", "a", "a")
    claim = claimed(jobs)[first]
    (found,) = [one for one in why.why(jobs.conn, second).reasons if one.kind == "after"]
    assert f"hold {first}, which was sent earlier, is active" in found.sentence
    jobs.finish(jobs.me, claim, "failed")
    (found,) = [one for one in why.why(jobs.conn, second).reasons if one.kind == "after"]
    assert f"hold {first}, which was sent earlier, failed" in found.sentence
    assert f"zeke-jobs cancel {first}" in found.help


def test_a_claim_reads_little_where_one_key_has_many_jobs(jobs: Jobs) -> None:
    zeke_jobs.send_many("hold", [{}] * 1000, key="a")
    (last,) = send("hold", "b")
    jobs.rows("ANALYZE zeke_jobs.queue")
    assert last in claimed(jobs, 5)
