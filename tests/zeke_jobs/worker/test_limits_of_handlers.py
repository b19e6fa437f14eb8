"""Handlers report units, costs and throttling by a provider to the limits."""

import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Jobs, Running

TOP = "limits: {ai: {concurrency: 4, tokens: {rate: 1000/m}, budget: 5 USD/d}}"
SAID = "slow down\N{SYMBOL FOR NULL}\\udc80"
TASKS = """
  use: {handler: 'F:use_units', uses: [ai], units: {tokens: 400}}
  ask: {handler: 'F:ask_throttled', uses: [ai], units: {tokens: 1}}
"""


def test_what_a_job_used_and_cost_replaces_its_estimate(running: Running, jobs: Jobs) -> None:
    with running(TASKS, TOP):
        zeke_jobs.wait(zeke_jobs.send("use", {"n": 120}, units={"tokens": 600}).id, timeout=30)
    used = "SELECT unit, sum(used)::float8 AS used FROM zeke_jobs.bucket_change WHERE used IS NOT NULL GROUP BY unit"
    assert {row["unit"]: row["used"] for row in jobs.rows(used)} == {"tokens": 120, "USD": 0.5}


@pytest.mark.parametrize(("n", "status"), [(0, "created"), (30, "completed")])
def test_a_throttled_job_closes_its_limit_for_all(running: Running, jobs: Jobs, n: int, status: str) -> None:
    with running(TASKS, TOP):
        job = zeke_jobs.send("ask", {"n": n}).id
        gate = "SELECT closed_by, closed_why, concurrency FROM zeke_jobs.limit_use WHERE name = 'limit/ai'"
        eventually(lambda: jobs.rows(gate)[0]["closed_by"])
        eventually(lambda: zeke_jobs.status(job).status == status)
        assert jobs.rows(gate) == [{"closed_by": "throttled", "closed_why": SAID, "concurrency": 2}]
        assert jobs.row(job)["attempt"] == int(bool(n))


def test_a_limit_that_jobs_yaml_does_not_have_leaves_the_job_deferred(running: Running, jobs: Jobs) -> None:
    with running(TASKS, TOP):
        job = zeke_jobs.send("ask", {"story_id": "engine"}).id
        eventually(lambda: jobs.row(job)["waiting_for"] == SAID)
        assert jobs.row(job)["state"] == "queued"
