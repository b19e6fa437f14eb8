"""``on_failed`` sends a job for each job that fails for good, in the same transaction, whoever ends the failed job."""

from typing import Any
from uuid import UUID

import pytest

import zeke_jobs
from tests.each import each
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Jobs, failure, one_worker

TASKS = """
  echo: {handler: 'H:echo', on_failed: report, retry: {limit: 0}}
  fail: {handler: 'H:fail', on_failed: report, retry: {limit: 1, delay: 1ms}}
  signup: {handler: 'H:sign_up', on_failed: report, sensitive: [email], retry: {limit: 0}}
  details: {handler: 'H:ends', on_failed: report}
  report: {handler: 'F:report', aliases: [old-report]}
"""
worker = one_worker(TASKS)


def reports(jobs: Jobs, of: UUID | None = None) -> list[dict[str, Any]]:
    sql = "SELECT message -> 'kwargs' AS told, * FROM zeke_jobs.queue WHERE task = 'report' AND parent = coalesce(%s, parent)"
    return jobs.rows(sql, of)


def test_a_job_that_failed_for_good_sends_one_with_its_id_error_and_payload(table: Jobs) -> None:
    failed = failure("fail", {"n": 3})
    eventually(lambda: reports(table, failed.id)[0]["state"] == "done")
    [report] = reports(table, failed.id)
    told = report["told"]
    assert (told["job_id"], told["task"], told["payload"]) == (str(failed.id), "fail", {"n": 3})
    assert (told["error"]["type"], told["error"]["message"]) == ("ValueError", "no luck with 3")
    assert report["result"] == {"type": "ValueError", "n": 3}
    job = failure("signup", {"email": "ada@example.org"})
    [report] = eventually(lambda: reports(table, job.id))
    assert report["sensitive"] == ["payload.email"], "what is sensitive in the payload is so in the report"
    assert "ada@example.org" not in str(zeke_jobs.status(report["message_id"]))


def test_the_database_tells_of_a_worker_that_died_and_of_no_retry_cancellation_or_expiry(jobs: Jobs) -> None:
    jobs.use(TASKS)
    jobs.add("fail")
    jobs.end("retry", error=None)
    [queued, active] = jobs.add("echo", 2)
    zeke_jobs.cancel(queued, "no longer needed")
    [claim] = jobs.claim(jobs.me, 1, tasks=["echo"])
    zeke_jobs.cancel(active, "no longer needed")
    jobs.finish(jobs.me, claim, "failed")
    jobs.add("echo", options='{"expires": 0}')
    assert jobs.rows("SELECT zeke_jobs.expire(10) AS count") == [{"count": 1}]
    assert reports(jobs) == []
    [job] = jobs.add("echo")
    jobs.claim(jobs.me, 1, tasks=["echo"])
    jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = now() - interval '1 hour', beating_since = '-infinity'")
    [rescued] = jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    assert rescued["outcome"] == "failed"
    assert [report["told"]["error"]["type"] for report in reports(jobs, job)] == ["WorkerDied"]


@each("kind", ["large details", "deep details"])
def test_a_rejection_with_details_at_the_bounds_keeps_its_reason(table: Jobs, kind: str) -> None:
    job = failure("details", {"story_id": kind})
    eventually(lambda: len(reports(table, job.id)) == 1)
    assert job.error is not None
    assert (job.error["type"], job.error["message"]) == ("Reject", "it does not fit")
    [report] = reports(table, job.id)
    assert report["told"]["error"]["message"] == "it does not fit"
    assert report["told"]["error"]["details"] == job.error["details"]
    assert str(job.error["details"]).startswith("not kept: expected at most 1")


def test_it_is_sent_whatever_waits_or_is_alike_and_tasks_that_name_each_other_come_to_an_end(jobs: Jobs) -> None:
    report = "  report: {handler: 'F:report', max_queued: 1, unique: [task], aliases: [old-report], on_failed: page}"
    jobs.use(f"  echo: {{handler: 'H:echo', on_failed: old-report}}\n{report}\n  page: {{handler: 'F:report', on_failed: report}}")  # fmt: skip
    jobs.add("echo", 3)
    jobs.end("failed", 3)
    assert len(reports(jobs)) == 3
    jobs.end("failed", 3)
    jobs.add("report", payload='{"job_id": "00000000-0000-0000-0000-000000000001", "task": "x"}')
    jobs.end("failed")
    assert [claim["task"] for claim in jobs.end("failed", 9)] == ["page"]
    assert jobs.claim(jobs.me, 9) == []
    assert {row["state"] for row in jobs.rows("SELECT state FROM zeke_jobs.queue")} == {"rejected"}


@pytest.mark.parametrize("payload", ['{"story_id": "%s"}' % ("x" * 1_048_000), '{"n": %s}' % ("[" * 99 + "]" * 99)])
def test_a_payload_that_leaves_no_room_is_left_out(jobs: Jobs, payload: str) -> None:
    jobs.use(TASKS)
    jobs.rows("SELECT zeke_jobs.enqueue('echo', NULL, %s, '{}', gen_random_uuid()::text)", payload)
    jobs.end("failed", error='{"message": "%s"}' % ("e" * 2000))
    [report] = reports(jobs)
    assert report["told"]["payload"] is None
