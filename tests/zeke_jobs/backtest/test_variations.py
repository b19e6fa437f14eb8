from dataclasses import asdict
from datetime import UTC, datetime

from tests.zeke_jobs.backtest.conftest import echoes
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.workload import Attempt, Job, Workload, vary
from zeke_jobs.config import Config

CRON = "cron: '0 * * * *'"
ORIGIN = datetime(2026, 3, 10, tzinfo=UTC).timestamp()


def tasks(a: str = CRON, b: str = "", **more: str) -> Config:
    return load(echoes(a=a, b=b, c="", **more))


HOURLY = tasks()


def day() -> Workload:
    """Make a tick each hour whose job sends two jobs 5 s after its start, and an independent job each minute."""
    made = Workload(origin=ORIGIN, end=4 * 3600)
    for hour in range(4):
        tick = Job("a", 3600.0 * hour, (Attempt(10),), tick=True)
        made.roots.append(tick)
        for key in ("x", "y"):
            tick.send(Job("b", 3600.0 * hour + 5, (Attempt(2),), key=key), after=5)
    made.roots += [Job("c", 60.0 * minute, (Attempt(1),)) for minute in range(240)]
    made.roots.sort(key=lambda job: job.sent)
    return made


def reached(workload: Workload) -> dict[str, list[Job]]:
    """Return all jobs that would be sent, by task."""
    return {task: [job for job in workload.jobs() if job.task == task] for task in "abc"}


def test_more_load_multiplies_what_comes_from_outside_and_what_ticks_send_but_not_the_ticks() -> None:
    assert asdict(vary(day(), HOURLY, HOURLY)[0]) == asdict(day()), "an equal proposal changes no job"
    found, _ = vary(day(), HOURLY, HOURLY, load=3.0)
    jobs = reached(found)
    assert {name: len(many) for name, many in jobs.items()} == {"a": 4, "b": 24, "c": 720}
    assert {job.key for job in jobs["b"]} == {"x", "x #2", "x #3", "y", "y #2", "y #3"}
    assert found.roots == sorted(found.roots, key=lambda job: job.sent)
    crowded = Workload(end=7200, roots=[Job("c", float(at), (Attempt(1),)) for at in [*range(60), 7000]])
    assert sum(job.sent < 60 for job in vary(crowded, HOURLY, HOURLY, load=10.0)[0].roots) >= 590


def test_another_schedule_sends_at_its_own_ticks_jobs_like_those_that_were_recorded() -> None:
    jobs = reached(vary(day(), HOURLY, tasks(a="cron: '0,30 * * * *'"))[0])
    assert [job.sent for job in jobs["a"]] == [1800.0 * half for half in range(1, 9)]
    assert all(job.attempts == (Attempt(10),) for job in jobs["a"])
    assert len(jobs["b"]) == 16


def test_a_schedule_that_is_gone_or_paused_sends_nothing() -> None:
    for a in ("", "cron: {at: '0 * * * *', paused: true}"):
        jobs = reached(vary(day(), HOURLY, tasks(a=a))[0])
        assert {name: len(many) for name, many in jobs.items()} == {"a": 0, "b": 0, "c": 240}


def test_a_new_schedule_sends_jobs_like_those_of_its_task_that_others_sent_and_is_told_where_none_is_recorded() -> None:
    found, unknown = vary(day(), HOURLY, tasks(b=CRON, new=CRON))
    assert unknown == ["new"]
    assert [job.attempts for job in reached(found)["b"] if job.tick] == [(Attempt(2),)] * 4
