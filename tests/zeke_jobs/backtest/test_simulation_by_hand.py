"""Each case tests one rule, with start times worked out by hand."""

from typing import Any

import pytest

from tests.zeke_jobs.backtest.conftest import echoes
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload


class Day:
    """A test writes this workload line by line."""

    def __init__(self, *jobs: tuple[str, float, float], end: float = 1000.0) -> None:
        """Each job is (task, time of the send, duration)."""
        self.workload = Workload(end=end)
        for job in jobs:
            self.job(*job)

    def job(
        self, task: str, sent: float, *held: float, how: tuple[Any, ...] = (), parent: Job | None = None, **kind: Any
    ) -> Job:
        """Add a job with an attempt for each duration; with a parent, ``sent`` counts from the parent's start."""
        hows = (*how, *(("completed",) * (len(held) - len(how))))
        job = Job(task, sent, tuple(Attempt(seconds, one) for seconds, one in zip(held, hows, strict=True)), **kind)
        if parent is None:
            self.workload.roots.append(job)
        else:
            parent.send(job, after=sent)
        return job

    def simulation(self, tasks: str, top: str = "", fleet: Fleet = Fleet(1, 8), **kind: Any) -> Simulation:  # noqa: B008
        return Simulation(self.workload, load(tasks, top), fleet, **kind)

    def figures(self, *words: Any, **kind: Any) -> Figures:
        return self.simulation(*words, **kind).run()

    def of_a(self, keys: str = "", **kind: Any) -> Any:
        """Simulate the day; return the figures of task a, whose stanza in jobs.yaml has these ``keys``."""
        return self.figures(echoes(a=keys), **kind).tasks["a"]


RETRY = "retry: {{limit: {}, delay: 10s, factor: 1, jitter: 0}}"


def test_a_policys_limit_ends_retries_but_not_those_that_the_handler_grants_itself() -> None:
    day = Day()
    day.job("a", 0, 1, 1, how=("retry", "failed"))
    day.job("a", 0, 1, how=("rejected",))
    simulation = day.simulation(echoes(a=RETRY.format(3)))
    shown = simulation.run().tasks["a"]
    assert (shown.failed, shown.retried, simulation.last) == (2, 3, 34), "what failed to the last fails more often"
    own = Day()
    own.job("a", 0, 1, 1, 1).attempts = (Attempt(1, "retry"), Attempt(1, "retry", own=True), Attempt(1))
    assert own.of_a(RETRY.format(1)).completed == 1
    assert own.of_a(RETRY.format(0)).failed == 1


def test_a_tick_is_skipped_during_an_earlier_job_a_pause_is_left_and_an_unknown_task_counted() -> None:
    day = Day()
    for tick in (0, 60, 120):
        day.job("a", tick, 90, tick=True)
    skip, allow = (day.of_a(f"cron: {{at: '* * * * *', overlap: {overlap}}}") for overlap in ("skip", "allow"))
    assert (list(skip.starts), skip.skipped, list(allow.starts)) == ([0, 120], 1, [0, 60, 120])
    shown = Day(("a", 0, 10), end=100).of_a("paused: true", horizon=100.0)
    assert (shown.unstarted, shown.left, shown.wait_p50, shown.held_by) == (1, 1, 100, {"paused": 100})
    named = Day(("gone", 0, 10), ("former", 0, 10)).figures(echoes(a="aliases: [former]"))
    assert (named.unserved, list(named.tasks["a"].starts)) == ({"gone": 1}, [0])


def test_a_full_queue_refuses_what_is_sent_and_a_job_that_meets_one_sends_again_each_half_minute() -> None:
    shown = Day(("a", 0, 10), ("a", 1, 10), ("a", 2, 10), ("a", 3, 10)).of_a("concurrency: 1, max_queued: 1")
    assert (shown.jobs, shown.refused) == (2, 2)
    # At 5 s one b runs and one waits, so the third send meets a full queue; the first b ends at 36 s, and the send
    # succeeds at 65 s.
    day = Day()
    parent = day.job("a", 0, 20)
    day.job("b", 0, 36)
    day.job("b", 1, 40)
    day.job("b", 5, 1, parent=parent)
    tasks = day.figures(echoes(a="", b="concurrency: 1, max_queued: 1")).tasks
    assert list(tasks["b"].starts) == [0, 36, 76]
    assert (tasks["b"].completed, tasks["b"].refused, tasks["a"].completed) == (3, 2, 1)
    never = Day(("b", 0, 1))
    never.job("b", 1, 1, parent=never.job("a", 0, 1))
    tasks = never.figures(echoes(a="", b="concurrency: 1, max_queued: 1, paused: true")).tasks
    assert (tasks["a"].completed, tasks["b"].refused) == (1, 1)


def test_a_claim_follows_after_the_wake_up_and_a_wait_beyond_max_wait_is_a_breach() -> None:
    day = Day()
    for _ in range(2):
        day.job("a", 0, 10, start=0.001)
    shown = day.of_a("concurrency: 1", fleet=Fleet(1, 8, wake_up=0.5))
    assert shown.wait_p50 == pytest.approx((0.501 + 11.001) / 2)
    # The job that was sent 5 s before the day occupies the limit, and the figures do not count this job.
    shown = Day(("a", -5, 10), ("a", 0, 10), ("a", 0, 10)).of_a("concurrency: 1, max_wait: 10s")
    assert (shown.jobs, shown.wait_p50, shown.breaches) == (2, 10, 1)


def test_each_limit_is_told_how_long_it_held_jobs_back_that_were_in_the_queue() -> None:
    # The job of a fills the limit for 10 s, and then the job of c keeps the only thread until 30 s.
    day = Day(("a", 0, 10), ("b", 0, 5), end=100)
    day.job("c", 5, 20, priority=1)
    tasks = echoes(a="uses: [pool], priority: 9", b="uses: [pool]", c="")
    shown = day.figures(tasks, "limits: {pool: {concurrency: 1}}", fleet=Fleet(1, 1))
    assert shown.tasks["b"].held_by == {"threads": 20, "limit/pool": 10}
    assert shown.limits["threads"].utilisation == pytest.approx(0.35)
    assert shown.limits["limit/pool"].utilisation == pytest.approx(0.15)
    left = Day(("a", 0, 10))
    left.job("a", 0, 5, leaves=3.0)
    assert (left.of_a("concurrency: 1").expired, left.of_a("concurrency: 1").held_by) == (1, {"task/a": 3})


def test_the_same_seed_gives_the_same_answer_and_costs_in_another_currency_replace_no_estimate() -> None:
    day = Day()
    for sent in range(300):
        day.job("ab"[sent % 2], sent / 10, 1, 1, how=("retry",))
    answers = [repr(day.figures(echoes(a="", b=""), fleet=Fleet(1, 3), seed=seed)) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
    day = Day()
    day.workload.currency = "EUR"
    for sent in (0, 20, 40):
        day.job("a", sent, 10, cost=5.0)
    assert list(day.of_a("budget: 1.00 USD/d, units: {USD: 0.5}").starts) == [0, 20, 1000]
