"""Claims obey throttling and breakers; the clock stands still."""

from datetime import timedelta
from typing import Any

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from tests.zeke_jobs.worker.day import Day

THROTTLE = "limits: {ai: {concurrency: 8, throttle: {least: 3, raise_every: 10s}}}"


def throttle(day: Day, claim: dict[str, Any], seconds: float) -> None:
    assert day.jobs.rows("SELECT zeke_jobs.throttle('ai', %s, %s, '429') AS u", seconds, claim["message_id"])[0]["u"]


def test_throttling_closes_a_limit_and_halves_its_concurrency_once_for_all_that_ran(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo'}", THROTTLE)
    jobs.add("a", 40)
    first = day.claim(0)
    assert len(first) == 8
    day.at(1)
    for claim in first:
        throttle(day, claim, 12)
    day.end(first)
    jobs.add("b")
    assert [claim["task"] for claim in day.claim(12)] == ["b"], "other tasks go on"
    assert day.opens("a") == pytest.approx(13)
    assert day.limit("limit/ai")["closed_by"] == "throttled"
    assert len(day.claim(13)) == 5  # Throttling halves the limit of 8, and ten seconds without an error add one.
    assert len(day.claim(42)) == 3  # The limit is eight again.


def test_throttling_does_not_go_below_the_stated_bound(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", THROTTLE)
    jobs.add("a", 40)
    for second in range(5):
        (claim, *rest) = day.claim(second * 2)
        throttle(day, claim, 0.5)
        day.end([claim, *rest])
    assert len(day.claim(10)) == 3


def test_a_throttled_job_goes_behind_those_that_became_due_while_it_waited(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", THROTTLE)
    (first,) = jobs.add("a")
    (claim,) = day.claim(0)
    throttle(day, claim, 12)
    jobs.finish(day.worker, claim, "deferred", delay=12.0)
    day.at(5)
    (later,) = jobs.add("a")
    assert [one["message_id"] for one in day.claim(13)] == [later, first]


BREAKER = "limits: {ai: {breaker: {failures: 3, within: 1m, pause: 10s}}}"


def test_a_breaker_opens_probes_and_closes(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER)
    jobs.add("a", 9)
    running = day.claim(0, want=5)
    for claim in running[:3]:
        day.fail(claim)
    assert day.claim(1) == []  # The breaker is open.
    assert day.limit("limit/ai")["closed_by"] == "breaker"
    late = running[3]
    day.fail(late)  # A failure after the breaker has opened uses up no attempt.
    assert jobs.row(late["message_id"])["attempt"] == 0
    assert day.opens("a") == pytest.approx(11)
    (probe,) = day.claim(11)
    assert day.claim(12) == []
    day.fail(probe)
    assert jobs.row(probe["message_id"])["attempt"] == probe["attempt"]
    assert day.claim(13) == []
    (probe,) = day.claim(22.5)
    day.end([probe])
    assert len(day.claim(23)) > 1
    assert day.limit("limit/ai")["closed_by"] is None


def test_a_probe_that_comes_back_unstarted_lets_another_one_probe(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", BREAKER)
    jobs.add("a", 9)
    for claim in day.claim(0, want=3):
        day.fail(claim)
    assert day.claim(1) == []
    (probe,) = day.claim(11)
    jobs.finish(day.worker, probe, "returned", after=None)
    assert len(day.claim(12)) == 1
    assert day.claim(13) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_probe_whose_worker_died_probes_again_though_nothing_else_waits(jobs: Jobs, fails: bool) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 9}}", BREAKER)
    jobs.add("a", 3)
    first, *others = day.claim(0)
    day.fail(first)
    for claim in others:
        jobs.finish(day.worker, claim, "failed", breaks=True)
    assert day.claim(1) == []  # The breaker is open.
    assert [claim["message_id"] for claim in day.claim(11)] == [first["message_id"]]
    day.at(50)
    assert jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    day.worker = jobs.worker()
    (probe,) = jobs.claim(day.worker, 8)
    day.at(51)
    if fails:
        day.fail(probe)
        day.at(53)
        assert jobs.claim(day.worker, 8) == []
        assert day.limit("limit/ai")["closed_until"] == NOON + timedelta(seconds=61)
        day.at(62)
        (probe,) = jobs.claim(day.worker, 8)
    day.end([probe])
    jobs.add("a", 2)
    assert len(day.claim(63)) == 2


def test_a_breaker_may_count_a_share_of_at_least_ten_failures(jobs: Jobs) -> None:
    top = BREAKER.replace("failures: 3", "failures: 50%")
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", top)
    jobs.add("a", 60)
    running = day.claim(0, want=30)
    day.end(running[:12])
    for claim in running[12:23]:
        day.fail(claim)
    assert len(day.claim(0.5, want=1)) == 1  # So far 11 of 23 attempts have failed.
    day.fail(running[23])
    day.fail(running[24])
    assert day.claim(0.6) == []


def test_a_breaker_counts_failures_of_jobs_whose_task_was_renamed_meanwhile(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER)
    jobs.add("a", 4)
    *running, late = day.claim(0)
    jobs.use("  b: {handler: 'H:echo', uses: [ai], retry: {limit: 1}, aliases: [a]}", BREAKER)
    for claim in running:
        day.fail(claim)
    jobs.add("b")
    assert day.claim(1) == []  # The breaker is open.
    day.fail(late)
    assert jobs.row(late["message_id"])["attempt"] == 0


def test_a_limit_opens_when_it_loses_its_breaker_but_not_from_a_throttling(jobs: Jobs) -> None:
    tasks = "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 9}}"
    day = Day(jobs, tasks, BREAKER)
    jobs.add("a", 4)
    *running, last = day.claim(0)
    for claim in running:
        day.fail(claim)
    assert day.claim(1) == []  # The breaker is open.
    jobs.use(tasks, "limits: {ai: {concurrency: 9}}")
    assert day.limit("limit/ai")["closed_by"] is None
    assert len(day.claim(2)) == 3
    throttle(day, last, 60)
    jobs.use(tasks, "limits: {ai: {concurrency: 8}}")
    assert day.limit("limit/ai")["closed_by"] == "throttled"
