"""Claims obey rates, units, budgets, throttling and breakers; the clock stands still, and no test sleeps."""

import random
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import Json

from tests.each import cases
from tests.zeke_jobs.backtest.witness import CLOCK
from tests.zeke_jobs.worker.conftest import NOON, Jobs


class Day:
    def __init__(self, jobs: Jobs, tasks: str, top: str = "", **counts: int) -> None:
        self.jobs = jobs
        jobs.use(tasks, top)
        jobs.rows(CLOCK)
        self.at(0)
        self.worker = jobs.worker()
        for task, count in counts.items():
            jobs.add(task, count)

    def at(self, seconds: float) -> None:
        moment = (NOON + timedelta(seconds=seconds)).isoformat()
        self.jobs.rows("SELECT set_config('zeke_test.now', %s, false)", moment)

    def claim(self, seconds: float, want: int = 100) -> list[dict[str, Any]]:
        self.at(seconds)
        return self.jobs.claim(self.worker, want)

    def end(self, claims: list[dict[str, Any]]) -> None:
        assert len(self.jobs.complete(self.worker, claims)) == len(claims)

    def opens(self, task: str) -> float | None:
        """Return when the limit allows the task's next job, in seconds after noon, or None if a job must end first."""
        (held,) = [row for row in self.jobs.look(self.worker, 100) if row["kind"] == "held" and row["task"] == task]
        now = self.jobs.rows("SELECT extract(epoch FROM zeke_jobs.now() - %s)::float8 AS s", NOON)[0]["s"]
        return None if held["wait"] is None else now + held["wait"]

    def limit(self, name: str) -> dict[str, Any]:
        return self.jobs.rows("SELECT * FROM zeke_jobs.limit_use WHERE name = %s", name)[0]

    def fail(self, *claims: dict[str, Any]) -> None:
        assert all(self.jobs.finish(self.worker, claim, "retry", breaks=True) for claim in claims)


def test_no_limit_stays_closed_for_long_when_the_servers_clock_is_set_back(jobs: Jobs) -> None:
    breaker = "breaker: {failures: 1, within: 1m, pause: 30s}"
    tasks = "".join(f"  {name}: {{handler: 'H:echo', uses: [{name}]}}\n" for name in "bt")
    rated = "  a: {handler: 'H:echo', rate: {limit: 10/s, per_key: 5/s}}"
    day = Day(jobs, tasks + rated, f"limits: {{t: {{concurrency: 9}}, b: {{concurrency: 9, {breaker}}}}}")
    for task in "abt":
        jobs.add(task, 3, options='{"key": "k"}')
    claims = {claim["task"]: claim for claim in day.claim(7200, want=3)}
    jobs.rows("SELECT zeke_jobs.throttle('t', 30, %s, 'busy')", claims["t"]["message_id"])
    day.fail(claims["b"])
    assert day.claim(7200) == day.claim(3600) == []
    jobs.rows("SELECT zeke_jobs.chores(true)")
    assert jobs.rows("SELECT name FROM zeke_jobs.bucket WHERE tripped_on IS NOT NULL") == [{"name": "limit/b"}]
    assert [claim["task"] for claim in day.claim(3600)] == ["a"]
    assert day.claim(3600.01) == [], "and no faster than before"
    assert {claim["task"] for claim in day.claim(3629)} == {"a"}
    assert {claim["task"] for claim in day.claim(3631)} == {"b", "t"}


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
    (key,) = jobs.rows("SELECT next_at FROM zeke_jobs.bucket_key WHERE key = 'k'")
    assert (key["next_at"] - NOON).total_seconds() == pytest.approx(60.25 + 14.75)
    for seconds, left in ((3674, 1), (3735, 0)):  # A key is forgotten an hour after its limit would admit a job again.
        day.at(seconds)
        jobs.tidy()
        assert len(jobs.rows("SELECT key FROM zeke_jobs.bucket_key WHERE key = 'k'")) == left


def test_a_rate_counts_from_the_time_that_a_job_records_as_its_claim(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 1/s}", a=1)
    now = "SELECT timestamptz '2026-03-10T12:00Z' + nextval('tick') * interval '10 ms'"
    jobs.rows("CREATE SEQUENCE tick")
    jobs.rows(f"CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql AS $$ {now} $$")
    (claim,) = jobs.claim(day.worker, 1)
    (bucket,) = jobs.rows("SELECT next_at FROM zeke_jobs.bucket")
    assert (bucket["next_at"] - claim["claimed_on"]).total_seconds() == pytest.approx(1.0125)


@pytest.mark.parametrize(("rate", "most", "period"), [("10/s", 10, 1.0), ("{limit: 60/m, burst: 30}", 60, 60.0)])
def test_no_window_has_more_starts_whatever_starts_late_or_not(jobs: Jobs, rate: str, most: int, period: float) -> None:
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
        fullest = max(fullest, *(sum(begin <= one < begin + period for one in found) for begin in found))
    assert fullest == most


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
    assert jobs.hand_back(day.worker, [second], after=0.1) == []
    assert day.claim(11.3) == [], "a started job keeps its start"


def test_new_keys_start_past_thousands_of_jobs_whose_key_waits(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: {per_key: 1/h}}")
    jobs.add("a", 1000, options='{"key": "k"}')
    jobs.add("a", options='{"key": "late"}')
    found = [jobs.row(claim["message_id"])["key"] for _ in range(4) for claim in day.claim(1)]
    assert sorted(found) == ["k", "late"]


def test_another_rate_goes_on_from_the_last_start(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', rate: 3/s}", a=9)
    day.end(day.claim(0))
    jobs.use("  a: {handler: 'H:echo', rate: 4/m}")
    assert day.claim(2) == []
    assert len(day.claim(15.2)) == 1
    jobs.use("  b: {handler: 'H:echo', aliases: [a], rate: 4/m}")
    jobs.rows("SELECT * FROM zeke_jobs.gather(100)")
    assert day.claim(16) == []


TOKENS = "limits: {ai: {tokens: {rate: 1000/m}}}"


def test_a_job_of_units_starts_when_those_before_are_spaced_out(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS, a=9)
    (first,) = day.claim(0)
    assert day.claim(24.0) == []  # The next job needs 400 of the 1000 units a minute.
    assert day.opens("a") == pytest.approx(24.1, abs=0.1)
    jobs.used(first, tokens=100)
    day.end([first])
    assert len(day.claim(24.05)) == 1  # The first job returned 300 unused units.


def test_overuse_is_charged_to_the_next_jobs_at_once(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 100}}", TOKENS, a=9)
    (first,) = day.claim(0, want=1)
    day.at(0.4)
    jobs.used(first, tokens=950)
    jobs.used({**first, "claim": 0}, tokens=9000)  # An earlier claim counts nothing.
    assert day.claim(56) == []
    day.end([first])
    assert len(day.claim(58)) == 1


def test_the_send_knows_better_than_the_last_jobs_and_they_better_than_jobs_yaml(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS, a=2)
    (first,) = day.claim(0)
    jobs.used(first, tokens=100)
    day.end([first])
    (second,) = day.claim(30)
    assert taken(jobs, second) == 100
    jobs.used(second, tokens=300)
    day.end([second])
    jobs.add("a", options='{"units": {"tokens": 250}}')
    (third,) = day.claim(60)
    assert taken(jobs, third) == 250
    jobs.add("a")
    (fourth,) = day.claim(90)
    assert taken(jobs, fourth) == 110, "each job moves the average by a twentieth"


def taken(jobs: Jobs, claim: dict[str, Any]) -> float:
    return float(jobs.rows("SELECT taken FROM zeke_jobs.unit_use WHERE job = %s", claim["message_id"])[0]["taken"])


@cases(
    "units words",
    ('{"tokens": 1001}', "expected at most the 1000 tokens that a limit of a allows, got 1001"),
    ('{"tokns": 1}', "expected a unit that a limit of a counts, got tokns"),
    ('{"tokens": -1}', "expected units of at least 0, got tokens=-1"),
)
def test_a_job_that_could_never_start_is_refused_at_the_send(jobs: Jobs, units: str, words: str) -> None:
    jobs.use("  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400}}", TOKENS)
    with pytest.raises(psycopg2.DataError, match=words):
        jobs.add("a", options=f'{{"units": {units}}}')


@cases(
    "zone noon hours",
    ("Europe/Paris", "2026-03-28T12:00+01:00", 12),
    ("Europe/Paris", "2026-03-29T00:30+01:00", 22.5),  # 29 March has 23 hours in Paris.
    ("Europe/Paris", "2026-10-25T00:30+02:00", 24.5),  # 25 October has 25 hours in Paris.
    ("Africa/Cairo", "2026-04-23T12:00+02:00", 12),  # The next day begins at 01:00.
    ("Africa/Cairo", "2026-04-24T01:30+03:00", 22.5),
    ("America/Havana", "2026-10-31T12:00-04:00", 12),  # Midnight happens twice, and the first one counts.
    ("America/Scoresbysund", "2026-03-28T12:00-02:00", 11),  # The hour before midnight does not happen.
    ("Pacific/Kiritimati", "2026-03-10T12:00+14:00", 12),
)
def test_a_budgets_day_ends_at_the_zones_midnight(jobs: Jobs, zone: str, noon: str, hours: float) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', budget: 1 USD/d, units: {USD: 1}}", f"timezone: {zone}", a=9)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = '2026-01-01Z', created_on = '2026-01-01Z'")
    begin = (datetime.fromisoformat(noon) - NOON).total_seconds()
    assert len(day.claim(begin)) == 1
    assert day.claim(begin + hours * 3600 - 1) == []
    assert day.opens("a") == pytest.approx(begin + hours * 3600)
    assert len(day.claim(begin + hours * 3600)) == 1


BOTH = "timezone: Europe/Paris\nlimits: {ai: {rate: 100/m, tokens: {rate: 1000/m}, budget: 5.00 USD/d}}"
KEPT: dict[str, float] = {"tokens": 400, "USD": 1}


def counts(day: Day) -> dict[str, float]:
    """Return the units, such as tokens, that limits count for the day's one job: its estimate, plus all later corrections."""
    changes = "SELECT unit, sum(amount)::float8 AS n FROM zeke_jobs.bucket_change WHERE unit <> 'jobs' GROUP BY unit"
    left = KEPT | {row["unit"]: KEPT[row["unit"]] + row["n"] for row in day.jobs.rows(changes)}
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
    ("handed back", None, KEPT, True),
    *((f"{outcome} unstarted", None, {}, False) for outcome in ("cancelled", "returned", "failed")),
]
LESS, MORE = {"tokens": 100, "USD": 0.25}, {"tokens": 900, "USD": 3}


@pytest.mark.parametrize(
    ("outcome", "error", "silent", "cut_off", "said"),
    [*((*one, {}) for one in OUTCOMES), *((*one, said) for said in (LESS, MORE) for one in OUTCOMES[:6])],
)
def test_an_attempt_counts_what_it_said_and_at_least_its_estimate_where_it_was_cut_off(
    jobs: Jobs, outcome: str, error: str | None, silent: dict[str, float], cut_off: bool, said: dict[str, float]
) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 400, USD: 1}}", BOTH, a=1)
    (claim,) = day.claim(0)
    if said:
        jobs.used(claim, **said)
    if outcome == "died":
        day.at(100)
        assert jobs.rows("SELECT * FROM zeke_jobs.rescue()")
    elif outcome == "completed":
        day.end([claim])
    elif outcome == "handed back":
        assert jobs.hand_back(day.worker, [claim], after=0.1) == []
    else:
        outcome, _, unstarted = outcome.partition(" ")
        after = None if unstarted else 0.0
        jobs.finish(day.worker, claim, outcome, error=error and Json({"type": error}), delay=3600.0, after=after)
    assert counts(day) == ({unit: max(said[unit], KEPT[unit] * cut_off) for unit in said} if said else silent)
    learned = jobs.rows("SELECT * FROM zeke_jobs.bucket_change WHERE used IS NOT NULL")
    assert len(learned) == (2 if said and not cut_off else 0)


THROTTLE = "limits: {ai: {concurrency: 8, throttle: {least: 3, raise_every: 10s}}}"


def throttle(day: Day, claim: dict[str, Any], seconds: float) -> None:
    assert day.jobs.rows("SELECT zeke_jobs.throttle('ai', %s, %s, '429') AS u", seconds, claim["message_id"])[0]["u"]


def test_throttling_closes_a_limit_and_halves_its_concurrency_once_for_all_that_ran(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo'}", THROTTLE, a=40)
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
    running = day.claim(13)
    assert len(running) == 5  # Throttling halves the limit of 8, and ten seconds without an error add one.
    running += day.claim(42)
    assert len(running) == 8  # The limit is eight again.
    for second in (43, 45, 47):
        day.at(second)
        throttle(day, running[0], 0.5)
        day.end(running)
        running = day.claim(second + 1)
    assert len(running) == 3, "the stated bound"


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
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER, a=9)
    running = day.claim(0, want=5)
    day.fail(*running[:3])
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
    running = day.claim(23)
    assert len(running) > 1
    assert day.limit("limit/ai")["closed_by"] is None
    jobs.add("a", 9)
    day.fail(*(*running, *day.claim(24))[:3])
    assert day.claim(25) == []
    (probe,) = day.claim(35)
    jobs.finish(day.worker, probe, "returned", after=None)
    assert len(day.claim(36)) == 1, "another one probes"
    assert day.claim(37) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_probe_whose_worker_died_probes_again_though_nothing_else_waits(jobs: Jobs, fails: bool) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 9}}", BREAKER, a=3)
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


def test_a_breaker_forgets_failures_from_before_its_time(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", BREAKER, a=9)
    for second in (0, 61):
        day.fail(*day.claim(second, want=2))
    assert len(day.claim(62, want=1)) == 1


def test_a_breaker_may_count_a_share_of_at_least_ten_failures(jobs: Jobs) -> None:
    top = BREAKER.replace("failures: 3", "failures: 50%")
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai]}", top, a=60)
    running = day.claim(0, want=30)
    day.end(running[:12])
    day.fail(*running[12:23])
    assert len(day.claim(0.5, want=1)) == 1  # So far 11 of 23 attempts have failed.
    day.fail(*running[23:25])
    assert day.claim(0.6) == []


def test_a_breaker_counts_failures_of_a_renamed_task_and_a_limit_without_it_opens_unless_throttled(jobs: Jobs) -> None:
    day = Day(jobs, "  a: {handler: 'H:echo', uses: [ai], retry: {limit: 1}}", BREAKER, a=5)
    *running, late, last = day.claim(0)
    renamed = "  b: {handler: 'H:echo', uses: [ai], retry: {limit: 1}, aliases: [a]}"
    jobs.use(renamed, BREAKER)
    day.fail(*running)
    jobs.add("b")
    assert day.claim(1) == []  # The breaker is open.
    day.fail(late)
    assert jobs.row(late["message_id"])["attempt"] == 0
    jobs.use(renamed, "limits: {ai: {concurrency: 9}}")
    assert day.limit("limit/ai")["closed_by"] is None
    assert len(day.claim(2)) == 4, "all but the late one, which waits for the end of the pause"
    throttle(day, last, 60)
    jobs.use(renamed, "limits: {ai: {concurrency: 8}}")
    assert day.limit("limit/ai")["closed_by"] == "throttled"
