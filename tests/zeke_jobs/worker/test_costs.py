"""Limits count the sums of the costs and units that handlers report, and obey throttling. ``on_failed`` reports failed jobs."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import each
from tests.waiting import eventually
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.worker.conftest import Jobs, Running, ended, failure, one_worker
from zeke_jobs import Context, Payload, Reject
from zeke_jobs.testing import FakeContext

HERE = "tests.zeke_jobs.worker.test_costs"
TASKS = f"""
  spend: {{handler: '{HERE}:spend', retry: {{limit: 1, delay: 1ms}}}}
  echo: {{handler: 'H:echo', on_failed: report, retry: {{limit: 0}}}}
  fail: {{handler: 'H:fail', on_failed: report, retry: {{limit: 1, delay: 1ms}}}}
  signup: {{handler: 'H:sign_up', on_failed: report, sensitive: [email], retry: {{limit: 0}}}}
  details: {{handler: 'H:ends', on_failed: report}}
  report: {{handler: 'H:report', aliases: [old-report]}}
"""
worker = one_worker(TASKS)


class Purse(Payload):
    amounts: tuple[str, ...] = ()
    currency: str = "USD"
    fail: str = ""


def spend(payload: Purse, ctx: Context) -> None:
    with ctx.transaction():
        for amount in payload.amounts:
            ctx.add_cost(Decimal(amount), payload.currency)
        if payload.fail == "once" and ctx.attempt == 1:
            raise ValueError("no luck")
        if payload.fail == "mixed":
            ctx.add_cost(1, "EUR")
        if payload.fail == "rejected":
            raise Reject("no use")


def ran(task: str, **payload: Any) -> zeke_jobs.Job:
    return ended(zeke_jobs.send(task, payload).id)


@pytest.mark.usefixtures("worker")
@each(
    "amounts fail status said",
    (["0.1", "0.2", "0.00000001"], "", "completed", "0.30000001 USD"),
    (["0"], "", "completed", "0 USD"),
    ([], "", "completed", "None None"),
    (["0.2"], "once", "completed", "0.4 USD"),
    (["0.2"], "rejected", "failed", "0.2 USD"),
    (["3"], "mixed", "failed", "6 USD"),
)
def test_amounts_add_up_and_stay_spent_after_a_rollback(amounts: list[str], fail: str, status: str, said: str) -> None:
    job = ran("spend", amounts=amounts, fail=fail)
    assert (job.status, f"{job.cost} {job.currency}") == (status, said)
    assert ("expected a cost in USD, as this job's before, got EUR" in str(job.attempts)) == (fail == "mixed")


def test_a_cost_that_no_budget_counts_because_of_its_currency_is_warned_of(running: Running) -> None:
    tasks = [f"  {unit.lower()}: {{handler: '{HERE}:spend', budget: 5 {unit}/d}}" for unit in ("USD", "EUR")]
    with capture_logs() as lines, running("\n".join(tasks)):
        for task in ("usd", "eur"):
            assert ran(task, amounts=["0.2"]).status == "completed"
    said = [(line["budget"], line["cost"]) for line in lines if "another currency" in line["event"]]
    assert said == [("EUR", "0.2 USD")]


def test_status_lists_and_compare_show_the_cost(running: Running, cli: Cli) -> None:
    with running(TASKS):
        payloads: tuple[dict[str, Any], ...] = ({"amounts": ["0.20"]}, {"amounts": ["2"], "currency": "EUR"}, {"amounts": ["0.1"]}, {})  # fmt: skip
        job, *_ = [ran("spend", **payload).id for payload in payloads]
    assert "\n  cost      0.2 USD\n" in cli("status", job).out
    assert cli("status", job, "--json").json["cost"] == "0.20"
    assert "2 EUR" in cli("jobs").out
    assert "2 EUR + 0.3 USD (of 3 jobs)" in cli("compare", "1").out
    first = cli("compare", "1", "--json").json[0]
    assert (first["jobs"], first["with_cost"], first["cost"]) == (4, 3, {"EUR": "2", "USD": "0.3"})


@each(
    "amount currency said",
    (0.5, "USD", r"expected a cost as Decimal or int, got float 0.5; Decimal\(str\(amount\)\) makes one"),
    (True, "USD", "expected a cost as Decimal or int, got bool"),
    (-1, "USD", "expected a cost of at least 0, got -1"),
    (Decimal("NaN"), "USD", "expected a cost of at least 0, got NaN"),
    (Decimal("inf"), "USD", "expected a cost of at least 0, got Infinity"),
    (1, "usd", "expected a currency as three capital letters"),
    (1, "EUR", "expected a cost in USD, as this job's before, got EUR"),
)
def test_what_is_no_cost_is_refused_in_words(amount: Any, currency: str, said: str) -> None:
    ctx = FakeContext()
    ctx.add_cost(Decimal("0.5"))
    with pytest.raises((TypeError, ValueError), match=said):
        ctx.add_cost(amount, currency)
    assert (ctx.cost, ctx.currency) == (Decimal("0.5"), "USD")


TOP = "limits: {ai: {concurrency: 4, tokens: {rate: 1000/m}, budget: 5 USD/d}}"
SAID = "slow down\N{SYMBOL FOR NULL}\\udc80"
LIMITED = """
  use: {handler: 'H:use_units', uses: [ai], units: {tokens: 400}}
  ask: {handler: 'H:ask_throttled', uses: [ai], units: {tokens: 1}}
"""


def test_what_a_job_used_and_cost_replaces_its_estimate(running: Running, jobs: Jobs) -> None:
    with running(LIMITED, TOP):
        zeke_jobs.wait(zeke_jobs.send("use", {"n": 120}, units={"tokens": 600}).id, timeout=30)
    used = "SELECT unit, sum(used)::float8 AS used FROM zeke_jobs.bucket_change WHERE used IS NOT NULL GROUP BY unit"
    assert {row["unit"]: row["used"] for row in jobs.rows(used)} == {"tokens": 120, "USD": 0.5}


@pytest.mark.parametrize(("n", "status"), [(0, "created"), (30, "completed")])
def test_a_throttled_job_closes_its_limit_for_all(running: Running, jobs: Jobs, n: int, status: str) -> None:
    with running(LIMITED, TOP):
        unknown = zeke_jobs.send("ask", {"story_id": "engine"}).id
        eventually(lambda: jobs.row(unknown)["waiting_for"] == SAID)
        gate = "SELECT closed_by, closed_why, concurrency FROM zeke_jobs.limit_use WHERE name = 'limit/ai'"
        assert jobs.rows(gate)[0]["closed_by"] is None
        job = zeke_jobs.send("ask", {"n": n}).id
        eventually(lambda: jobs.rows(gate)[0]["closed_by"])
        eventually(lambda: zeke_jobs.status(job).status == status)
        assert jobs.rows(gate) == [{"closed_by": "throttled", "closed_why": SAID, "concurrency": 2}]
        assert jobs.row(job)["attempt"] == int(bool(n))


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
    report = "  report: {handler: 'H:report', max_queued: 1, unique: [task], aliases: [old-report], on_failed: page}"
    others = "  echo: {handler: 'H:echo', on_failed: old-report}\n  page: {handler: 'H:report', on_failed: report}"
    jobs.use(f"{others}\n{report}")
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
