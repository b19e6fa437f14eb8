"""Rates, rates per key, units, budgets, throttling and breakers, as claims obey them; by a clock that stands still; nothing of it sleeps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from tests.zeke_jobs.backtest.witness import CLOCK
from tests.zeke_jobs.worker.conftest import NOON, Jobs


class Day:
    """Claims of one worker at given seconds after noon."""

    def __init__(self, jobs: Jobs, tasks: str, top: str = "") -> None:
        self.jobs = jobs
        jobs.use(tasks, top)
        jobs.rows(CLOCK)
        self.at(0)
        self.worker = jobs.worker()

    def at(self, seconds: float) -> None:
        moment = (NOON + timedelta(seconds=seconds)).isoformat()
        self.jobs.rows("SELECT set_config('zeke_test.now', %s, false)", moment)

    def claim(self, seconds: float, want: int = 100) -> list[dict[str, Any]]:
        self.at(seconds)
        return self.jobs.claim(self.worker, want)

    def end(self, claims: list[dict[str, Any]]) -> None:
        assert len(self.jobs.complete(self.worker, claims)) == len(claims)

    def used(self, claim: dict[str, Any], **units: float) -> None:
        self.jobs.rows("SELECT zeke_jobs.report(%s, %s, %s)", claim["message_id"], claim["claim"], Json(units))

    def opens(self, task: str) -> float | None:
        """Seconds after noon at which the limit that holds the task back opens; None: when a job ends."""
        (held,) = [row for row in self.jobs.look(self.worker, 100) if row["kind"] == "held" and row["task"] == task]
        now = self.jobs.rows("SELECT extract(epoch FROM zeke_jobs.now() - %s)::float8 AS s", NOON)[0]["s"]
        return None if held["wait"] is None else now + held["wait"]

    def limit(self, name: str) -> dict[str, Any]:
        return self.jobs.rows("SELECT * FROM zeke_jobs.limit_use WHERE name = %s", name)[0]

    def fail(self, claim: dict[str, Any]) -> None:
        assert self.jobs.finish(self.worker, claim, "retry", breaks=True)


def starts(day: Day, until: float, every: float = 0.005) -> list[float]:
    """When jobs were claimed, by claims each few milliseconds, all of which end at once."""
    found, seconds = [], 0.0
    while seconds < until:
        claims = day.claim(seconds)
        day.end(claims)
        found += [seconds] * len(claims)
        seconds += every
    return found


def most_within(found: list[float], seconds: float) -> int:
    return max(sum(begin <= one < begin + seconds for one in found) for begin in found)


def test_a_rate_spaces_its_starts_and_no_window_has_more(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 20/s}")
    jobs.add("a", 80)
    found = starts(day, 3)
    assert most_within(found, 1.0) == 20
    assert len(found) >= 3 * 20 * 0.97


def test_a_burst_starts_at_once_and_no_window_has_more(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 60/m, burst: 10}}")
    jobs.add("a", 200)
    found = starts(day, 130, every=0.05)
    assert found.count(0.0) == 10
    assert most_within(found, 60.0) <= 60


def test_a_rate_that_was_idle_catches_up_by_no_more_than_its_slack(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 1/s}")
    jobs.add("a", 9)
    assert len(day.claim(0)) == 1
    assert len(day.claim(100)) == 1
    assert day.opens("a") == pytest.approx(101.0125)
    assert day.claim(101.01) == []
    assert len(day.claim(101.02)) == 1


def test_a_handler_that_starts_late_delays_the_next_starts(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 1/s, per_key: 1/s}}")
    jobs.add("a", 3, options='{"key": "k"}')
    (claim,) = day.claim(0)
    assert claim["on_time"] == pytest.approx(0.0125)
    [row] = jobs.rows("SELECT zeke_jobs.started_late(%s, 0.4) AS told", claim["message_id"])
    jobs.rows(
        "SELECT zeke_jobs.started_late(%s, 0.5, %s)", claim["message_id"], row["told"]
    )  # the first call took long
    assert day.claim(1.4) == []
    assert len(day.claim(1.52)) == 1


def test_a_job_handed_back_unstarted_gives_its_start_back_unless_others_started_since(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 1/h, per_key: 1/h}}\n  b: {handler: 'H:echo', rate: 1/s}")
    jobs.add("a", 2, options='{"key": "k"}')
    (claim,) = day.claim(0)
    assert day.claim(1) == []
    jobs.finish(day.worker, claim, "returned", after=None)
    assert len(day.claim(2)) == 1
    jobs.add("b", 9)
    (first,) = day.claim(10)
    (second,) = day.claim(11.1)
    jobs.finish(day.worker, first, "returned", after=None)
    assert day.claim(11.2) == []
    assert second["message_id"] != first["message_id"]


def test_a_rate_holds_for_each_key_by_itself(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {per_key: 2/s}}")
    for key in "xyz" * 4:
        jobs.add("a", options=f'{{"key": "{key}"}}')
    first = day.claim(0)
    keys = [jobs.row(claim["message_id"])["key"] for claim in first]
    assert sorted(keys) == ["x", "y", "z"]
    day.end(first)
    assert day.claim(0.49) == []
    assert day.opens("a") == pytest.approx(0.5)
    assert len(day.claim(0.52)) == 3


def test_new_keys_start_past_thousands_of_jobs_whose_key_waits(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {per_key: 1/h}}")
    jobs.rows("SELECT zeke_jobs.send('a', '{}', '{\"key\": \"k\"}') FROM generate_series(1, 1000)")
    jobs.add("a", options='{"key": "late"}')
    found = [jobs.row(claim["message_id"])["key"] for _ in range(4) for claim in day.claim(1)]
    assert sorted(found) == ["k", "late"]


def test_a_job_that_runs_alone_obeys_the_limits(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 1/s}")
    jobs.add("a", 2)
    day.end(day.claim(0))
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE state = 'queued'")
    assert jobs.claim(day.worker, 8, is_empty=True) == []
    day.at(1.1)
    assert len(jobs.claim(day.worker, 8, is_empty=True)) == 1


def test_another_rate_goes_on_from_the_last_start(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 3/s}")
    jobs.add("a", 9)
    day.end(day.claim(0))
    jobs.use("  a: {handler: 'H:echo', rate: 4/m}")
    assert day.claim(2) == []
    assert len(day.claim(15.2)) == 1
    jobs.use("  b: {handler: 'H:echo', aliases: [a], rate: 4/m}")
    jobs.rows("SELECT * FROM zeke_jobs.gather(100)")
    assert day.claim(16) == []


BUDGET = "timezone: Europe/Paris\nlimits: {ai: {budget: 5.00 USD/d}}"
TOKENS = "limits: {ai: {tokens: {rate: 1000/m}}}"


def test_a_job_of_units_starts_when_those_before_are_spaced_out(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS)
    jobs.add("a", 9)
    (first,) = day.claim(0)
    assert day.claim(24.0) == []  # 400 of 1000 a minute
    assert day.opens("a") == pytest.approx(24.1, abs=0.1)
    day.used(first, tokens=100)
    day.end([first])
    assert len(day.claim(24.05)) == 1  # 300 were not used


def test_overuse_is_charged_to_the_next_jobs_at_once(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 100}}", TOKENS)
    jobs.add("a", 9)
    (first,) = day.claim(0, want=1)
    day.at(0.4)
    day.used(first, tokens=950)
    assert day.claim(56) == []
    day.end([first])
    assert len(day.claim(58)) == 1


def test_the_send_knows_better_than_the_last_jobs_and_they_better_than_jobs_yaml(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS)
    jobs.add("a", 2)
    (first,) = day.claim(0)
    day.used(first, tokens=100)
    day.end([first])
    (second,) = day.claim(30)
    assert taken(jobs, second) == 100
    day.end([second])
    jobs.add("a", options='{"units": {"tokens": 250}}')
    (third,) = day.claim(60)
    assert taken(jobs, third) == 250


def taken(jobs: Jobs, claim: dict[str, Any]) -> float:
    return float(jobs.rows("SELECT taken FROM zeke_jobs.unit_use WHERE job = %s", claim["message_id"])[0]["taken"])


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ('{"tokens": 1001}', "expected at most the 1000 tokens that a limit of a allows, got 1001"),
        ('{"tokns": 1}', "expected a unit that a limit of a counts, got tokns"),
        ('{"tokens": -1}', "expected tokens as a number of at least 0, got -1"),
    ],
)
def test_a_job_that_could_never_start_is_refused_at_the_send(jobs: Jobs, units: str, words: str) -> None:
    jobs.use("  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS)
    with pytest.raises(psycopg2.DataError, match=words):
        jobs.add("a", options=f'{{"units": {units}}}')


def test_a_dead_workers_units_count_in_full(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 1000}}", TOKENS)
    jobs.add("a", 2)
    (claim,) = day.claim(0)
    day.used(claim, tokens=10)
    day.at(30)
    assert jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    day.worker = jobs.worker()
    assert day.claim(60) == []
    assert len(day.claim(61)) == 1


def cost(day: Day, claim: dict[str, Any], amount: str) -> None:
    day.used(claim, USD=float(amount))


def test_a_budget_closes_until_the_next_day_of_the_files_zone(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {USD: 1.5}}", BUDGET)
    jobs.add("a", 19)
    first = day.claim(0)
    assert len(first) == 4  # the fourth passes the budget of 5.00
    for claim in first:
        cost(day, claim, "1.75")
    day.end(first)
    assert day.claim(1) == []
    assert day.opens("a") == pytest.approx(11 * 3600)  # midnight in Paris is 23:00 UTC
    assert day.claim(11 * 3600 - 1) == []
    assert len(day.claim(11 * 3600 + 1)) == 3  # by what it learned


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Paris", "2026-03-28T12:00+01:00", 12),
        ("Europe/Paris", "2026-03-29T00:30+01:00", 22.5),  # a day of 23 hours
        ("Europe/Paris", "2026-10-25T00:30+02:00", 24.5),  # of 25
        ("Africa/Cairo", "2026-04-23T12:00+02:00", 12),  # the next day begins at 01:00
        ("Africa/Cairo", "2026-04-24T01:30+03:00", 22.5),
        ("America/Havana", "2026-10-31T12:00-04:00", 12),  # midnight comes twice: the first one counts
        ("Pacific/Kiritimati", "2026-03-10T12:00+14:00", 12),
    ],
)
def test_a_budgets_day_ends_at_the_zones_midnight_when_clocks_change_too(
    jobs: Jobs, zone: str, noon: str, hours: float
) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', budget: 1 USD/d, units: {USD: 1}}", f"timezone: {zone}")
    jobs.add("a", 9)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = '2026-01-01Z', created_on = '2026-01-01Z'")
    begin = (datetime.fromisoformat(noon) - NOON).total_seconds()
    assert len(day.claim(begin)) == 1
    assert day.claim(begin + hours * 3600 - 1) == []
    assert len(day.claim(begin + hours * 3600)) == 1


def test_a_budget_is_overshot_by_no_more_than_jobs_that_run_cost_beyond_their_estimates(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {USD: 1}}", BUDGET)
    jobs.add("a", 30)
    spent, running = 0.0, day.claim(0)
    while running:
        for claim in running:
            cost(day, claim, "3")
            spent += 3
        day.end(running)
        running = day.claim(1)
    assert spent <= 5 + 1 + 5 * (3 - 1)


BOTH = "timezone: Europe/Paris\nlimits: {ai: {rate: 100/m, tokens: {rate: 1000/m}, budget: 5.00 USD/d}}"
KEPT = {"tokens": 400, "USD": 1}


def one_attempt(jobs: Jobs) -> tuple[Day, dict[str, Any]]:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400, USD: 1}}", BOTH)
    jobs.add("a")
    return day, day.claim(0)[0]


def counts(day: Day) -> dict[str, float]:
    """What the limit counts, beside nothing, of the only job: what it took, and the changes since."""
    found = day.jobs.rows(
        "SELECT unit, sum(amount)::float8 AS n FROM zeke_jobs.bucket_change WHERE unit <> 'jobs' GROUP BY unit"
    )
    left = KEPT | {row["unit"]: KEPT[row["unit"]] + row["n"] for row in found}
    return {unit: amount for unit, amount in left.items() if amount}


@pytest.mark.parametrize(
    ("outcome", "error", "silent", "said_less", "said_more"),
    [
        ("deferred", None, {}, (100, 0.25), (900, 3)),
        ("retry", "ValueError", {"tokens": 400}, (100, 0.25), (900, 3)),
        ("failed", "Reject", {"tokens": 400}, (100, 0.25), (900, 3)),
        ("retry", "TimedOut", KEPT, (400, 1), (900, 3)),
        ("failed", "TimedOut", KEPT, (400, 1), (900, 3)),
        ("retry", None, KEPT, (400, 1), (900, 3)),  # its worker stopped
        ("failed", "WorkerStopped", KEPT, (400, 1), (900, 3)),
        ("cancelled", None, KEPT, (400, 1), (900, 3)),
        ("returned", None, KEPT, (400, 1), (900, 3)),
    ],
)
def test_an_attempt_counts_what_it_said_and_its_estimate_where_it_was_cut_off(
    jobs: Jobs, outcome: str, error: str | None, silent: dict[str, float], said_less: Any, said_more: Any
) -> None:
    cases: list[tuple[Any, Any]] = [(None, silent), ((100, 0.25), said_less), ((900, 3), said_more)]
    for said, counted in cases:
        jobs.rows("DELETE FROM zeke_jobs.bucket")
        jobs.rows("DELETE FROM zeke_jobs.bucket_change")
        jobs.rows("DELETE FROM zeke_jobs.revision")
        day, claim = one_attempt(jobs)
        if said is not None:
            day.used(claim, tokens=said[0], USD=said[1])
        jobs.finish(day.worker, claim, outcome, error=error and Json({"type": error}), delay=3600.0)
        expected = counted if said is None else {"tokens": counted[0], "USD": counted[1]}
        assert counts(day) == expected
        learned = said is not None and silent != KEPT
        assert len(jobs.rows("SELECT * FROM zeke_jobs.bucket_change WHERE used IS NOT NULL")) == (2 if learned else 0)
        jobs.rows("DELETE FROM zeke_jobs.queue")


def test_an_attempt_that_completes_and_says_nothing_counts_its_estimate(jobs: Jobs) -> None:
    day, claim = one_attempt(jobs)
    day.end([claim])
    assert counts(day) == KEPT


@pytest.mark.parametrize("outcome", ["cancelled", "returned", "failed"])
def test_a_job_that_ends_before_it_starts_counts_nothing(jobs: Jobs, outcome: str) -> None:
    day, claim = one_attempt(jobs)
    jobs.finish(day.worker, claim, outcome, after=None)
    assert counts(day) == {}


def test_a_failure_that_an_open_breaker_defers_counts_as_one(jobs: Jobs) -> None:
    day, claim = one_attempt(jobs)
    jobs.rows(
        "UPDATE zeke_jobs.bucket SET tripped_on = zeke_jobs.now(), closed_until = zeke_jobs.now() + interval '1 minute'"
    )
    jobs.finish(day.worker, claim, "retry", error=Json({"type": "ValueError"}), breaks=True)
    assert jobs.row(claim["message_id"])["attempt"] == 0
    assert counts(day) == {"tokens": 400}


def test_a_dead_workers_money_stays_spent(jobs: Jobs) -> None:
    day, claim = one_attempt(jobs)
    day.used(claim, USD=0.25)
    day.at(100)
    assert jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    assert counts(day) == KEPT


def test_a_budget_of_a_task_is_its_own(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', units: {USD: 1}, budget: 2 USD/d}\n  b: {handler: 'H:echo'}")
    jobs.add("a", 3)
    jobs.add("b", 3)
    assert sorted(claim["task"] for claim in day.claim(0)) == ["a", "a", "b", "b", "b"]


THROTTLE = "limits: {ai: {concurrency: 8, throttle: {least: 3, raise_every: 10s}}}"


def throttle(day: Day, claim: dict[str, Any], seconds: float) -> None:
    assert day.jobs.rows("SELECT zeke_jobs.throttle('ai', %s, %s, '429') AS u", seconds, claim["message_id"])[0]["u"]


def test_throttling_closes_a_limit_and_halves_its_concurrency_once_for_all_that_ran(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", THROTTLE)
    jobs.add("a", 40)
    first = day.claim(0)
    assert len(first) == 8
    day.at(1)
    for claim in first:
        throttle(day, claim, 12)
    day.end(first)
    assert day.claim(12) == []
    assert day.opens("a") == pytest.approx(13)
    assert day.limit("limit/ai")["closed_by"] == "throttled"
    assert len(day.claim(13)) == 5  # half of 8, and one more for ten seconds of quiet
    assert len(day.claim(42)) == 3  # eight again


def test_throttling_does_not_go_below_the_stated_bound(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", THROTTLE)
    jobs.add("a", 40)
    for second in range(5):
        (claim, *rest) = day.claim(second * 2)
        throttle(day, claim, 0.5)
        day.end([claim, *rest])
    assert len(day.claim(10)) == 3


BREAKER = "limits: {ai: {breaker: {failures: 3, within: 1m, pause: 10s}}}"


def test_a_breaker_opens_probes_and_closes(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER)
    jobs.add("a", 9)
    running = day.claim(0, want=5)
    for claim in running[:3]:
        day.fail(claim)
    assert day.claim(1) == []  # open
    assert day.limit("limit/ai")["closed_by"] == "breaker"
    late = running[3]
    day.fail(late)  # after it opened: this costs no attempt
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
    assert day.claim(1) == []  # open
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


def test_an_attempt_that_began_before_the_pause_is_no_probe(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", BREAKER)
    jobs.add("a", 4)
    *running, late = day.claim(0, want=4)
    for claim in running:
        day.fail(claim)
    assert day.claim(1) == []  # open until 11
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = '2027-01-01Z' WHERE message_id <> %s", late["message_id"])
    day.at(12)
    assert jobs.finish(day.worker, late, "retry", breaks=True, delay=0.0)
    (probe,) = day.claim(20)
    assert probe["message_id"] == late["message_id"]
    jobs.add("a")
    assert day.claim(21) == []
    assert day.limit("limit/ai")["closed_until"] == NOON + timedelta(seconds=11), "it has not said anything yet"


def test_a_breaker_may_count_a_share_of_at_least_ten_failures(jobs: Jobs) -> None:
    top = BREAKER.replace("failures: 3", "failures: 50%")
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", top)
    jobs.add("a", 60)
    running = day.claim(0, want=30)
    day.end(running[:12])
    for claim in running[12:23]:
        day.fail(claim)
    assert len(day.claim(0.5, want=1)) == 1  # 11 of 23
    day.fail(running[23])
    day.fail(running[24])
    assert day.claim(0.6) == []


def test_other_tasks_go_on_while_a_limit_is_closed(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo'}", THROTTLE)
    (first,) = jobs.add("a", 1)
    (claim,) = day.claim(0)
    throttle(day, claim, 60)
    jobs.add("a", 3)
    jobs.add("b", 3)
    assert {one["task"] for one in day.claim(1)} == {"b"}
    assert isinstance(first, type(claim["message_id"]))


def test_a_breaker_is_shown_closed_after_its_probe_though_nothing_else_is_due(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 9}}", BREAKER)
    jobs.add("a", 3)
    for claim in day.claim(0):
        day.fail(claim)
    assert day.claim(1) == []
    (probe,) = day.claim(12)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = '2027-01-01Z' WHERE state = 'queued'")
    assert day.limit("limit/ai")["closed_by"] == "breaker"
    day.end([probe])
    assert day.limit("limit/ai")["closed_by"] is None


def test_a_breaker_counts_failures_of_jobs_whose_task_was_renamed_meanwhile(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER)
    jobs.add("a", 4)
    *running, late = day.claim(0)
    jobs.use("  b: {handler: 'H:echo', uses: [ai], retry: {limit: 1}, aliases: [a]}", BREAKER)
    for claim in running:
        day.fail(claim)
    jobs.add("b")
    assert day.claim(1) == []  # open
    day.fail(late)
    assert jobs.row(late["message_id"])["attempt"] == 0


def test_a_clock_that_was_set_back_does_not_lower_a_throttled_concurrency_further(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", THROTTLE)
    jobs.add("a")
    (claim,) = day.claim(0)
    throttle(day, claim, 1)
    lowered = day.limit("limit/ai")["concurrency"]
    day.at(-3600)
    assert day.limit("limit/ai")["concurrency"] == lowered > 0


def test_an_empty_key_is_refused_because_it_stands_for_all_jobs(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', rate: {limit: 9/s, per_key: 1/s}}")
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="expected key of 1 to 1024 bytes, got 0"):
        jobs.add("a", options='{"key": ""}')
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="expected key of 1 to 1024 bytes, got 0"):
        jobs.rows(
            "SELECT * FROM zeke_jobs.enqueue_many('a', NULL, '[{}, {}]'::jsonb, ARRAY[gen_random_uuid(), gen_random_uuid()], ARRAY['k', ''], '{}'::jsonb)"
        )


def test_a_limit_opens_when_it_loses_its_breaker_but_not_from_a_throttling(jobs: Jobs) -> None:
    tasks = "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 9}}"
    day = Day(jobs, tasks, BREAKER)
    jobs.add("a", 4)
    *running, last = day.claim(0)
    for claim in running:
        day.fail(claim)
    assert day.claim(1) == []  # open
    jobs.use(tasks, "limits: {ai: {concurrency: 9}}")
    assert day.limit("limit/ai")["closed_by"] is None
    assert len(day.claim(2)) == 3
    throttle(day, last, 60)
    jobs.use(tasks, "limits: {ai: {concurrency: 8}}")
    assert day.limit("limit/ai")["closed_by"] == "throttled"
