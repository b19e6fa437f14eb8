"""A workload is recorded, described in a file, or made by a test. Figures, capacities and confidence are as computed by hand."""

import re
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from textwrap import dedent
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extensions import connection as Connection

from tests.each import cases, each
from tests.fleet import scalar
from tests.zeke_jobs.backtest.conftest import echoes
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs import config
from zeke_jobs.backtest import load_file
from zeke_jobs.backtest.capacity import Bound, capacity
from zeke_jobs.backtest.comparing import Confidence, backtest, fleet_of
from zeke_jobs.backtest.figures import Figures
from zeke_jobs.backtest.history import BACKWARDS, ORPHANS, UNFINISHED
from zeke_jobs.backtest.limits import next_midnight
from zeke_jobs.backtest.load_file import load_text, synthesize
from zeke_jobs.backtest.simulation import Simulation
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload, vary
from zeke_jobs.errors import ConfigurationError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONFIG = load(echoes(a="concurrency: 1"))
CRON = "cron: '0 * * * *'"
BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
RETRY = "retry: {{limit: {}, delay: 10s, factor: 1, jitter: 0}}"


def recording(*, waited: float = 0.003, jobs: int = 300, odd: dict[str, int] | None = None, **facts: Any) -> Workload:
    """Make the recording of an hour in which a job was sent every twelve seconds; each job took two seconds."""
    made = Workload(origin=NOON.timestamp(), end=3600, oddities=Counter(odd))
    for number in range(jobs):
        made.roots.append(Job("a", 12.0 * number, (Attempt(2),), waited=waited))
    known = {"first_job": NOON, "revisions": (), "threads": 8, "processes": 1, "pauses": (), "now": NOON + HOUR}
    made.facts = SimpleNamespace(**(known | facts))
    return made


@cases(
    "odd level said",
    ({"jobs": 100}, "fair", "only 100 jobs were recorded"),
    ({"jobs": 10}, "low", "only 10 jobs were recorded"),
    ({"odd": {ORPHANS: 30}}, "low", "30 jobs name a sender that is gone"),
    ({"odd": {BACKWARDS: 2}}, "fair", "2 jobs have times that run backwards"),
    ({"odd": {UNFINISHED: 2}}, "fair", "2 jobs have not ended"),
    ({"revisions": (4, 5)}, "fair", "revisions put in force: 4, 5"),
    ({"first_job": NOON + HOUR / 2}, "fair", "nothing is known of the time before 2026-03-10 12:30"),
    ({"pauses": ("task/a",)}, "fair", "task/a is paused by hand now"),
    ({"waited": 30.0}, "low", "a waited 30.00 s on average, and 0.00 s in the simulation of its own recording"),
)
def test_what_is_odd_is_told_and_lowers_the_confidence(odd: dict[str, Any], level: str, said: str) -> None:
    confidence = backtest(recording(**odd), CONFIG, None).confidence
    (finding,) = confidence.findings[: 1 if "waited" in odd else None]
    assert (confidence.level, said in finding.text) == (level, True)


def test_a_whole_history_is_trusted_and_too_many_at_once_and_what_is_not_simulated_are_told() -> None:
    assert backtest(recording(), CONFIG, None).confidence == Confidence("high", ())
    crowded = recording()
    for number, job in enumerate(crowded.roots):
        job.sent = 600.0 * (number // 50)
    said = "50 jobs ran at once, more than the 8 threads of the simulation: other workers ran then"
    assert said in [one.text for one in backtest(crowded, CONFIG, None).confidence.findings]
    assert backtest(recording(), CONFIG, None).notes == ()
    shared = load(echoes(a="share: key", b="age: 10m") + "  c: {handler: 'H:echo_all', chunk: 5}")
    told = "share, age, chunk of tasks: not simulated; due jobs start by priority and age, each in a call of its own"
    assert backtest(recording(), CONFIG, shared).notes[-1] == told
    limited = load(echoes(fine="uses: [far]"), "limits: {far: {breaker: {failures: 2}}}\n")
    (note,) = backtest(recording(), limited, None).notes
    assert note.startswith("breakers of limits: not simulated")


def test_the_workers_are_those_of_now_or_given_or_as_many_threads_as_ran_jobs_at_once() -> None:
    assert fleet_of(recording())[0] == Fleet(1, 8, wake_up=0.003)
    nobody = recording(threads=0, processes=0)
    nobody.roots[1].sent = 1.0
    fleet, how = fleet_of(nobody)
    assert (fleet.slots, how) == (2, "no worker runs now; 2 jobs ran at once at most")
    found = recording(waited=0.004)
    for job in found.roots[::2]:
        job.waited = 5.0
    assert fleet_of(found)[0].wake_up == 0.004, "as long as jobs waited that found a free worker"
    described = load_text("version: 1\nlength: 1h\ntasks: {a: {rate: 60/h, takes: 1s}}\n", "load.yaml", CONFIG)
    answer = backtest(synthesize(described, CONFIG, NOON, Fleet(2, 3)), CONFIG, CONFIG, load=3.0)
    (finding,) = answer.confidence.findings
    assert (answer.confidence.level, "described, not recorded" in finding.text) == ("fair", True)
    assert (answer.today.workers, answer.fleet_from, answer.end) == ("2x3", "as given", NOON + HOUR)
    assert answer.today.tasks["a"].wait_p50 == pytest.approx(0.003)
    assert answer.proposed is not None
    assert answer.proposed.tasks["a"].jobs == 3 * answer.jobs


def carried(a: str, b: str = "", top: str = "", **bounds: float) -> list[Bound]:
    """Return what bounds the load on a day with a 30-second job of task a each minute and a 6-minute job of b each hour."""
    made = Workload(end=86_400, currency="USD")
    for minute in range(1440):
        made.roots.append(Job("a", 60.0 * minute, (Attempt(30),), cost=0.01, key=f"host {minute % 2}"))
    for hour in range(24):
        made.roots.append(Job("b", 3600.0 * hour, (Attempt(360),)))
    return capacity(made, load(echoes(a=a, b=b), top), Fleet(1, 8), **bounds)[1]


def test_each_bound_carries_the_load_until_it_is_used_up_by_estimates_or_recorded_costs() -> None:
    found = carried("concurrency: 1", "concurrency: 1")
    assert [bound.name for bound in found] == ["task/a", "task/b", "threads"]
    assert [bound.carries for bound in found] == pytest.approx([2, 10, 8 / 0.6])
    carries = {bound.name: bound.carries for bound in carried("rate: 90/h", budget=28.8, database=1.0)}
    assert carries["task/a rate"] == pytest.approx(1.5, rel=1e-3)
    assert (carries["budget"], carries["database"]) == pytest.approx((2, 86_400 / 1464))
    first = carried("uses: [ai], units: {tokens: 1500}", top="limits: {ai: {tokens: {rate: 4500/m}}}")[0]
    assert (first.name, first.tasks) == ("limit/ai tokens", ("a",))
    assert (first.needs, first.carries) == pytest.approx((25, 3), rel=0.01)
    # Task a costs 14.40 USD a day; b has no recorded costs, so its estimate is 24 times 0.60.
    found = carried("uses: [ai]", "budget: 28.80 USD/d, units: {USD: 0.60}", "limits: {ai: {budget: 21.60 USD/d}}")
    carries = {bound.name: bound.carries for bound in found}
    assert (carries["limit/ai budget"], carries["task/b budget"]) == pytest.approx((1.5, 2))


@each(
    "zone moment",
    ("Europe/Berlin", datetime(2026, 3, 28, 23, 30, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 10, 31, 12, 0, tzinfo=UTC)),  # Midnight happens twice.
    ("America/Santiago", datetime(2026, 9, 5, 12, 0, tzinfo=UTC)),  # Midnight does not happen.
    ("America/Santiago", datetime(2026, 4, 5, 2, 30, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 3, 10, 18, 14, 59, tzinfo=UTC)),
)
def test_the_day_of_a_budget_ends_when_postgres_says_so(conn: Connection, zone: str, moment: datetime) -> None:
    end = datetime.fromtimestamp(next_midnight(moment.timestamp(), ZoneInfo(zone)), UTC)
    sql = "SELECT (%s AT TIME ZONE %s)::date"
    today, last, next_day = (scalar(conn, sql, at, zone) for at in (moment, end - timedelta(seconds=1), end))
    assert (last, next_day) == (today, today + timedelta(days=1))


def tasks(a: str = CRON, b: str = "", **more: str) -> config.Config:
    return load(echoes(a=a, b=b, c="", **more))


HOURLY = tasks()


def day() -> Workload:
    """Return a workload: each hour, a cron job of task a sends two jobs of b after 5 s; each minute, a job of c is sent."""
    made = Workload(origin=BEGIN.timestamp(), end=4 * 3600)
    for hour in range(4):
        tick = Job("a", 3600.0 * hour, (Attempt(10),), tick=True)
        made.roots.append(tick)
        for key in ("x", "y"):
            tick.send(Job("b", 3600.0 * hour + 5, (Attempt(2),), key=key), after=5)
    made.roots += [Job("c", 60.0 * minute, (Attempt(1),)) for minute in range(240)]
    made.roots.sort(key=lambda job: job.sent)
    return made


def reached(workload: Workload) -> dict[str, list[Job]]:
    return {task: [job for job in workload.jobs() if job.task == task] for task in "abc"}


def test_more_load_multiplies_what_comes_from_outside_and_another_schedule_sends_at_its_own_ticks() -> None:
    assert asdict(vary(day(), HOURLY, HOURLY)[0]) == asdict(day()), "an equal proposal changes no job"
    found, _ = vary(day(), HOURLY, HOURLY, load=3.0)
    jobs = reached(found)
    assert {name: len(many) for name, many in jobs.items()} == {"a": 4, "b": 24, "c": 720}
    assert {job.key for job in jobs["b"]} == {"x", "x #2", "x #3", "y", "y #2", "y #3"}
    assert found.roots == sorted(found.roots, key=lambda job: job.sent)
    crowded = Workload(end=7200, roots=[Job("c", float(at), (Attempt(1),)) for at in [*range(60), 7000]])
    assert sum(job.sent < 60 for job in vary(crowded, HOURLY, HOURLY, load=10.0)[0].roots) >= 590
    jobs = reached(vary(day(), HOURLY, tasks(a="cron: '0,30 * * * *'"))[0])
    assert [job.sent for job in jobs["a"]] == [1800.0 * half for half in range(1, 9)]
    assert all(job.attempts == (Attempt(10),) for job in jobs["a"])
    assert len(jobs["b"]) == 16
    for a in ("", "cron: {at: '0 * * * *', paused: true}"):
        jobs = reached(vary(day(), HOURLY, tasks(a=a))[0])
        assert {name: len(many) for name, many in jobs.items()} == {"a": 0, "b": 0, "c": 240}
    found, unknown = vary(day(), HOURLY, tasks(b=CRON, new=CRON))
    assert unknown == ["new"]
    assert [job.attempts for job in reached(found)["b"] if job.tick] == [(Attempt(2),)] * 4


TASKS = load("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}\n  tick: {handler: 'H:echo', cron: '0 * * * *'}")
ROOT = Path(__file__).parents[3]


def made(tasks: str, length: str = "1d") -> Workload:
    text = f"version: 1\nlength: {length}\ntasks:\n{tasks}"
    return synthesize(load_file.load_text(text, "load.yaml", TASKS), TASKS, BEGIN, Fleet())


def lengths(tasks: str) -> list[float]:
    return [attempt.held for job in made(tasks).jobs() for attempt in job.attempts]


def test_the_load_of_the_page_is_accepted_and_each_key_is_documented() -> None:
    page = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")
    example = re.search(r"(?m)^    version: 1\n(?:    .*\n)+", page)
    assert example is not None
    read = load_file.load_text(dedent(example[0]), "load.yaml", config.load(ROOT / "jobs.yaml", handlers=False))
    assert set(read.tasks) == {"ingest-oneoff", "analyze-story"}
    for model in (load_file.LoadStanza, load_file.SentStanza, load_file.TakesStanza):
        assert [key for key in model.model_fields if f"`{key}`" not in page and f"{key}:" not in page] == []


def test_a_described_load_sends_at_its_rate_fails_takes_and_sends_others_as_described() -> None:
    sent = [job.sent for job in made("  a: {rate: 60/h, takes: 2s}").roots]
    assert 1300 < len(sent) < 1580
    assert sent == sorted(sent)
    assert len({round(at) % 60 for at in sent}) > 50
    found = made("  a: {hourly: [100, 0, 300], takes: 2s}", length="6h")
    hours = [sum(int(job.sent // 3600) == hour for job in found.roots) for hour in range(6)]
    assert hours[1] == hours[4] == 0
    assert all(70 < hours[hour] < 135 for hour in (0, 3))
    assert all(245 < hours[hour] < 360 for hour in (2, 5))
    assert set(lengths("  a: {rate: 60/h, takes: 2s}")) == {2.0}
    evenly = lengths("  a: {rate: 60/h, takes: {least: 1s, most: 3s}}")
    assert 1 <= min(evenly) < 1.1
    assert 2.9 < max(evenly) <= 3
    skewed = sorted(lengths("  a: {rate: 600/h, takes: {median: 2s, p95: 10s}}"))
    assert median(skewed) == pytest.approx(2.0, rel=0.05)
    assert skewed[int(len(skewed) * 0.95)] == pytest.approx(10.0, rel=0.1)
    counts = [len(job.attempts) for job in made("  a: {rate: 600/h, takes: 2s, fails: 0.2}").jobs()]
    assert sum(count - 1 for count in counts) / sum(counts) == pytest.approx(0.2, abs=0.02)
    parents = made("  a: {rate: 60/h, takes: 2s, sends: {b: 1.5}}\n  b: {takes: 1s, keys: 3}").roots
    sends = [sent for job in parents for sent in job.sends]
    assert {job.task for job in parents} == {"a"}
    assert len(sends) / len(parents) == pytest.approx(1.5, rel=0.05)
    assert {sent.after for sent in sends} == {2.0}
    assert {sent.job.key for sent in sends if sent.job.task == "b"} == {0, 1, 2}
    names = [job.task for job in made("  tick: {takes: 1s, sends: {b: 2}}\n  b: {takes: 1s}").jobs()]
    assert (names.count("tick"), names.count("b")) == (24, 48)


@cases(
    "text said",
    ("tasks: {a: {rate: 1/h, takes: 2s}}", "load.yaml:1:1: error: expected the key 'version' in the file, got none"),
    ("version: 1\ntasks:\n  aa: {takes: 2s}", "load.yaml:3:3: error: expected a task of jobs.yaml, got 'aa'"),
    ("version: 1\ntasks:\n  a: {takes: 2s, rat: 1/h}", "load.yaml:3:18: error: expected a key of a load, got 'rat'"),
    ("version: 1\ntasks:\n  a: {takes: 2}", "load.yaml:3:14: error: expected a duration or a mapping, got 2"),
    ("version: 1\ntasks:\n  a: {takes: {least: 2s}}", "load.yaml:3:14: error: expected always, or least and most"),
    ("version: 1\ntasks:\n  a: {takes: 2s, rate: 1/h, hourly: [1]}", "load.yaml:3:29: error: expected rate or hourly, got both"),
    ("version: 1\ntasks:\n  a: {takes: 2s, sends: {c: 1}}", "load.yaml:3:26: error: expected a task of jobs.yaml, got 'c'"),
    ("version: 1\ntasks:\n  a: {takes: 2s, fails: 2}", "load.yaml:3:25: error: expected a number of less than 1, got 2"),
    ("version: 1\ntasks:\n  a: {takes: 2s, sends: {b: 1}}\n  b: {takes: 2s, sends: {a: 0.5}}", "load.yaml:3:18: error: expected jobs of a to send no further ones of a in the end, got a circle"),
)  # fmt: skip
def test_each_fault_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_file.load_text(text, "load.yaml", TASKS)
    assert said in str(caught.value)


class Day:
    def __init__(self, *jobs: tuple[str, float, float], end: float = 1000.0) -> None:
        """Each job is (task, time of the send, duration)."""
        self.workload = Workload(end=end)
        for job in jobs:
            self.job(*job)

    def job(self, task: str, sent: float, *held: float, how: Any = (), parent: Job | None = None, **kind: Any) -> Job:
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


def test_a_tick_is_skipped_during_an_earlier_job_and_a_full_queue_refuses() -> None:
    day = Day()
    for tick in (0, 60, 120):
        day.job("a", tick, 90, tick=True)
    skip, allow = (day.of_a(f"cron: {{at: '* * * * *', overlap: {overlap}}}") for overlap in ("skip", "allow"))
    assert (list(skip.starts), skip.skipped, list(allow.starts)) == ([0, 120], 1, [0, 60, 120])
    shown = Day(("a", 0, 10), end=100).of_a("paused: true", horizon=100.0)
    assert (shown.unstarted, shown.left, shown.wait_p50, shown.held_by) == (1, 1, 100, {"paused": 100})
    named = Day(("gone", 0, 10), ("former", 0, 10)).figures(echoes(a="aliases: [former]"))
    assert (named.unserved, list(named.tasks["a"].starts)) == ({"gone": 1}, [0])
    shown = Day(("a", 0, 10), ("a", 1, 10), ("a", 2, 10), ("a", 3, 10)).of_a("concurrency: 1, max_queued: 1")
    assert (shown.jobs, shown.refused) == (2, 2)
    # While one b runs and one waits, the send at 5 s is refused. The first b ends at 36 s; the send succeeds at 65 s.
    day = Day(("b", 0, 36), ("b", 1, 40))
    day.job("b", 5, 1, parent=day.job("a", 0, 20))
    tasks = day.figures(echoes(a="", b="concurrency: 1, max_queued: 1")).tasks
    assert list(tasks["b"].starts) == [0, 36, 76]
    assert (tasks["b"].completed, tasks["b"].refused, tasks["a"].completed) == (3, 2, 1)
    never = Day(("b", 0, 1))
    never.job("b", 1, 1, parent=never.job("a", 0, 1))
    tasks = never.figures(echoes(a="", b="concurrency: 1, max_queued: 1, paused: true")).tasks
    assert (tasks["a"].completed, tasks["b"].refused) == (1, 1)


def test_a_claim_follows_the_wake_up_a_long_wait_is_a_breach_and_limits_tell_how_long_they_held() -> None:
    day = Day()
    for _ in range(2):
        day.job("a", 0, 10, start=0.001)
    shown = day.of_a("concurrency: 1", fleet=Fleet(1, 8, wake_up=0.5))
    assert shown.wait_p50 == pytest.approx((0.501 + 11.001) / 2)
    # The job that was sent 5 s before the day takes the limit's one slot, and the figures do not count this job.
    shown = Day(("a", -5, 10), ("a", 0, 10), ("a", 0, 10)).of_a("concurrency: 1, max_wait: 10s")
    assert (shown.jobs, shown.wait_p50, shown.breaches) == (2, 10, 1)
    day = Day()
    day.workload.currency = "EUR"
    for sent in (0, 20, 40):
        day.job("a", sent, 10, cost=5.0)
    assert list(day.of_a("budget: 1.00 USD/d, units: {USD: 0.5}").starts) == [0, 20, 1000]
    # The job of task a fills the limit for 10 s; then the job of task c keeps the only thread until 30 s.
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
