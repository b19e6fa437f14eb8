"""Claims obey rates, rates per key, units and budgets; the clock stands still, and no test sleeps."""

import random
from datetime import datetime
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from tests.zeke_jobs.worker.day import Day


def most_within(found: list[float], seconds: float) -> int:
    return max(sum(begin <= one < begin + seconds for one in found) for begin in found)


TRIPPED = "SELECT name FROM zeke_jobs.bucket WHERE tripped_on IS NOT NULL"


def test_a_rate_goes_on_within_a_minute_when_the_servers_clock_is_set_back(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 10/s, per_key: 5/s}}")
    jobs.add("a", 3, options='{"key": "k"}')
    day.end(day.claim(7200))
    assert day.claim(3600) == []
    jobs.rows("SELECT zeke_jobs.chores(true)")
    assert len(day.claim(3600)) == 1
    assert day.claim(3600.01) == [], "and no faster than before"
    assert jobs.rows(TRIPPED) == [], "no breaker has opened"


def test_what_closes_a_limit_lasts_no_longer_when_the_servers_clock_is_set_back(jobs: Jobs) -> None:
    breaker = "breaker: {failures: 1, within: 1m, pause: 30s}"
    tasks = "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo', uses: [other]}"
    day = Day(jobs, tasks, f"limits: {{ai: {{concurrency: 9}}, other: {{concurrency: 9, {breaker}}}}}")
    for task in "ab":
        jobs.add(task, 2)
    claims = {claim["task"]: claim for claim in day.claim(7200, want=2)}
    jobs.rows("SELECT zeke_jobs.throttle('ai', 30, %s, 'busy')", claims["a"]["message_id"])
    day.fail(claims["b"])
    assert day.claim(7200) == []
    assert day.claim(3600) == []
    jobs.rows("SELECT zeke_jobs.chores(true)")
    assert jobs.rows(TRIPPED) == [{"name": "limit/other"}]
    assert day.claim(3629) == []
    assert {claim["task"] for claim in day.claim(3631)} == {"a", "b"}


def test_of_two_bounds_that_are_used_up_a_limit_names_the_one_that_opens_by_itself(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1, rate: 1/m}")
    jobs.add("a", 2)
    jobs.claim(jobs.worker(), 1)
    bound = "SELECT room, reason, opens_on IS NULL AS by_an_end FROM zeke_jobs.room(ARRAY['task/a'], zeke_jobs.now())"
    assert [dict(row) for row in jobs.rows(bound)] == [{"room": 0, "reason": "rate", "by_an_end": False}]


def test_a_handler_that_starts_late_delays_the_next_starts(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 1/s, per_key: 1/s}}")
    jobs.add("a", 3, options='{"key": "k"}')
    (claim,) = day.claim(0)
    assert claim["on_time"] == pytest.approx(0.0125)
    assert may_start(jobs, claim, 0.4)
    assert may_start(jobs, claim, 0.5), "the first call took long"
    assert day.claim(1.4) == []
    assert len(day.claim(1.52)) == 1


def may_start(jobs: Jobs, claim: dict[str, Any], margin: float = 0.0) -> bool:
    return bool(jobs.rows("SELECT zeke_jobs.started_late(%s, %s) AS it", claim["message_id"], margin)[0]["it"])


def test_a_burst_that_starts_late_moves_its_rates_by_the_greatest_delay(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 60/m, burst: 30, per_key: 60/m}}")
    for n in range(40):
        jobs.add("a", options=f'{{"key": "{n}"}}')
    claims = day.claim(0)
    assert len(claims) == 30
    day.at(15)
    assert all(may_start(jobs, claim) for claim in claims)
    assert day.claim(16) == []
    assert day.opens("a") == pytest.approx(15 + 60.3 / 31 - 0.3, abs=0.01)


def test_a_lone_late_start_closes_neither_its_rate_nor_its_key_for_longer_than_its_delay(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {limit: 60/m, burst: 10, per_key: 1/m}}")
    jobs.add("a", options='{"key": "k"}')
    (claim,) = day.claim(0)
    day.at(15)
    assert may_start(jobs, claim)
    for n in range(20):
        jobs.add("a", options=f'{{"key": "{n}"}}')
    assert len(day.claim(15.1)) == 9
    (key,) = jobs.rows(
        "SELECT extract(epoch FROM next_at - %s)::float8 AS s FROM zeke_jobs.bucket_key WHERE key = 'k'", NOON
    )
    assert key["s"] == pytest.approx(60.25 + 14.75)
    for seconds, left in ((3674, 1), (3735, 0)):  # A key is forgotten an hour after its limit would admit a job again.
        day.at(seconds)
        jobs.tidy()
        assert len(jobs.rows("SELECT key FROM zeke_jobs.bucket_key WHERE key = 'k'")) == left


def test_a_rate_counts_from_the_time_that_a_job_records_as_its_claim(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 1/s}")
    jobs.add("a")
    jobs.rows(
        """CREATE SEQUENCE tick;
        CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql
        AS $$ SELECT timestamptz '2026-03-10T12:00Z' + nextval('tick') * interval '10 ms' $$"""
    )
    (claim,) = jobs.claim(day.worker, 1)
    (bucket,) = jobs.rows("SELECT next_at FROM zeke_jobs.bucket")
    assert (bucket["next_at"] - claim["claimed_on"]).total_seconds() == pytest.approx(1.0125)


@pytest.mark.parametrize(
    ("rate", "most", "period"), [("10/s", 10, 1.0), ("{limit: 60/m, burst: 30}", 60, 60.0)], ids=["spaced", "burst"]
)
def test_whatever_starts_late_or_comes_back_unstarted_no_window_has_more_starts(
    jobs: Jobs, rate: str, most: int, period: float
) -> None:
    day = Day(jobs, f"  a: {{handler: 'H:echo', rate: {rate}}}")
    jobs.add("a", 25 * most)
    chance, fullest = random.Random(7), 0
    for trial in range(6):
        now = begin = trial * 1e6
        thaw = begin + chance.uniform(0.1, 1.6) * period
        stalls, returns, idle = chance.choice([0.2, 1.0]), chance.choice([0.0, 0.0, 1.0]), chance.choice([0.0, 0.9])
        stalled, found = list[dict[str, Any]](), list[float]()
        while now < begin + 3 * period:
            day.at(now)
            if now >= thaw:
                for claim in stalled:
                    if chance.random() >= returns and may_start(jobs, claim):
                        found.append(now)
                        day.end([claim])
                    else:
                        jobs.finish(day.worker, claim, "returned", after=None)
                stalled = []
            rows = jobs.look(day.worker, 100)
            claims = [row for row in rows if row["kind"] == "job"]
            is_stalled = now < thaw and (now == begin or chance.random() < stalls * (idle == 0.0))
            if is_stalled:
                stalled += claims
            else:
                found += [now] * len(claims)
                day.end(claims)
            opens = now + next(row["wait"] for row in rows if row["kind"] == "held") + 0.001
            if now == begin:
                opens = max(opens, begin + idle * (thaw - begin))
            now = min(opens, thaw) if now < thaw else opens
        fullest = max(fullest, most_within(found, period))
    assert fullest == most


def test_a_started_job_that_its_worker_hands_back_keeps_its_start_and_its_units(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 1/h, uses: [ai], units: {tokens: 400, USD: 1}}", BOTH)
    jobs.add("a")
    (claim,) = day.claim(0)
    assert jobs.hand_back(day.worker, [claim], after=0.1) == []
    assert counts(day) == KEPT
    assert day.claim(60) == []


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


def test_new_keys_start_past_thousands_of_jobs_whose_key_waits(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {per_key: 1/h}}")
    jobs.add("a", 1000, options='{"key": "k"}')
    jobs.add("a", options='{"key": "late"}')
    found = [jobs.row(claim["message_id"])["key"] for _ in range(4) for claim in day.claim(1)]
    assert sorted(found) == ["k", "late"]


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
    assert day.claim(24.0) == []  # The next job needs 400 of the 1000 units a minute.
    assert day.opens("a") == pytest.approx(24.1, abs=0.1)
    day.used(first, tokens=100)
    day.end([first])
    assert len(day.claim(24.05)) == 1  # The first job returned 300 unused units.


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
        ('{"tokens": -1}', "expected units of at least 0, got tokens=-1"),
    ],
)
def test_a_job_that_could_never_start_is_refused_at_the_send(jobs: Jobs, units: str, words: str) -> None:
    jobs.use("  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS)
    with pytest.raises(psycopg2.DataError, match=words):
        jobs.add("a", options=f'{{"units": {units}}}')


def test_a_budget_closes_until_the_next_day_of_the_files_zone(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {USD: 1.5}}", BUDGET)
    jobs.add("a", 19)
    first = day.claim(0)
    assert len(first) == 4  # The fourth job exceeds the budget of 5.00.
    for claim in first:
        day.used(claim, USD=1.75)
    day.end(first)
    assert day.claim(1) == []
    assert day.opens("a") == pytest.approx(11 * 3600)  # Midnight in Paris is 23:00 UTC.
    assert day.claim(11 * 3600 - 1) == []
    assert len(day.claim(11 * 3600 + 1)) == 3  # The learned average cost now limits the claim.


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Paris", "2026-03-28T12:00+01:00", 12),
        ("Europe/Paris", "2026-03-29T00:30+01:00", 22.5),  # 29 March has 23 hours in Paris.
        ("Europe/Paris", "2026-10-25T00:30+02:00", 24.5),  # 25 October has 25 hours in Paris.
        ("Africa/Cairo", "2026-04-23T12:00+02:00", 12),  # The next day begins at 01:00.
        ("Africa/Cairo", "2026-04-24T01:30+03:00", 22.5),
        ("America/Havana", "2026-10-31T12:00-04:00", 12),  # Midnight happens twice, and the first one counts.
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


BOTH = "timezone: Europe/Paris\nlimits: {ai: {rate: 100/m, tokens: {rate: 1000/m}, budget: 5.00 USD/d}}"
KEPT: dict[str, float] = {"tokens": 400, "USD": 1}


def one_attempt(jobs: Jobs) -> tuple[Day, dict[str, Any]]:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400, USD: 1}}", BOTH)
    jobs.add("a")
    return day, day.claim(0)[0]


def counts(day: Day) -> dict[str, float]:
    """Return the units of the only job: the estimate at its claim, plus all later changes."""
    found = day.jobs.rows(
        "SELECT unit, sum(amount)::float8 AS n FROM zeke_jobs.bucket_change WHERE unit <> 'jobs' GROUP BY unit"
    )
    left = KEPT | {row["unit"]: KEPT[row["unit"]] + row["n"] for row in found}
    return {unit: amount for unit, amount in left.items() if amount}


OUTCOMES: list[tuple[str, str | None, dict[str, float], bool]] = [
    ("deferred", None, {}, False),
    ("retry", "ValueError", {"tokens": 400}, False),
    ("failed", "Reject", {"tokens": 400}, False),
    ("completed", None, KEPT, False),
    ("retry", "TimedOut", KEPT, True),
    ("died", None, KEPT, True),
    ("failed", "TimedOut", KEPT, True),
    ("retry", None, KEPT, True),  # The worker stopped.
    ("failed", "WorkerStopped", KEPT, True),
    ("cancelled", None, KEPT, True),
    ("returned", None, KEPT, True),
]
LESS, MORE = {"tokens": 100, "USD": 0.25}, {"tokens": 900, "USD": 3}


@pytest.mark.parametrize(
    ("outcome", "error", "silent", "cut_off", "said"),
    [*((*one, {}) for one in OUTCOMES), *((*one, said) for said in (LESS, MORE) for one in OUTCOMES[:6])],
)
def test_an_attempt_counts_what_it_said_and_at_least_its_estimate_where_it_was_cut_off(
    jobs: Jobs, outcome: str, error: str | None, silent: dict[str, float], cut_off: bool, said: dict[str, float]
) -> None:
    day, claim = one_attempt(jobs)
    if said:
        day.used(claim, **said)
    if outcome == "died":
        day.at(100)
        assert jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    elif outcome == "completed":
        day.end([claim])
    else:
        jobs.finish(day.worker, claim, outcome, error=error and Json({"type": error}), delay=3600.0)
    assert counts(day) == ({unit: max(said[unit], KEPT[unit] * cut_off) for unit in said} if said else silent)
    learned = jobs.rows("SELECT * FROM zeke_jobs.bucket_change WHERE used IS NOT NULL")
    assert len(learned) == (2 if said and not cut_off else 0)


@pytest.mark.parametrize("outcome", ["cancelled", "returned", "failed"])
def test_a_job_that_ends_before_it_starts_counts_nothing(jobs: Jobs, outcome: str) -> None:
    day, claim = one_attempt(jobs)
    jobs.finish(day.worker, claim, outcome, after=None)
    assert counts(day) == {}
