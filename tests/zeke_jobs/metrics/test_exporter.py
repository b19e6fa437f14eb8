"""The exported figures equal those in the database."""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.metrics.conftest import Values
from tests.zeke_jobs.postgres.members import as_member, sign_up
from zeke_jobs.control import pausing
from zeke_jobs.metrics.exporter import Sample, read
from zeke_jobs.metrics.families import DATABASE
from zeke_jobs.postgres import roles

TASKS = """
  quick: {handler: 'H:echo', max_wait: 2m, concurrency: 2, retry: {limit: 0}}
  calm: {handler: 'H:echo', queue: slow, uses: [ai], cron: '0 * * * *'}
"""
TOP = "limits: {ai: {concurrency: 4, rate: 60/m}}"
QUICK, CALM = ("quick", "default"), ("calm", "slow")


@pytest.fixture(autouse=True)
def catalogue(scene: Scene) -> None:
    scene.use(TASKS, TOP)


def test_depth_and_waits_are_told_by_task(scene: Scene, values: Callable[[], Values]) -> None:
    scene.add("quick", 4)
    scene.claim(scene.serve(), 1, ["quick"])
    scene.later(50)
    now = values()
    assert (now["zeke_jobs_queued", *QUICK], now["zeke_jobs_queued", *CALM]) == (3, 0)
    assert (now["zeke_jobs_active", *QUICK], now["zeke_jobs_active_limit", *QUICK]) == (1, 2)
    assert (now["zeke_jobs_oldest_wait_seconds", *QUICK], now["zeke_jobs_oldest_wait_seconds", *CALM]) == (50, 0)
    assert (now["zeke_jobs_max_wait_seconds", *QUICK], now["zeke_jobs_max_wait_breached", *QUICK]) == (120, 0)
    for name in ("active_limit", "max_wait_breached"):
        assert (f"zeke_jobs_{name}", *CALM) not in now
    scene.later(71)
    assert values()["zeke_jobs_max_wait_breached", *QUICK] == 1


def test_ends_and_durations_are_those_of_late(scene: Scene, values: Callable[[], Values]) -> None:
    worker = scene.serve()
    scene.add("quick", 2)
    done, failed = scene.claim(worker, 2)
    scene.start(worker, [done, failed])
    scene.later(3)
    scene.complete(worker, [done])
    scene.finish(worker, failed, "failed")
    now = values()
    assert (now["zeke_jobs_completed_per_minute", *QUICK], now["zeke_jobs_failed_per_minute", *QUICK]) == (1, 1)
    assert now["zeke_jobs_failed_last_hour", *QUICK] == 1
    assert now["zeke_jobs_handler_seconds", *QUICK, "0.95"] == pytest.approx(3, abs=0.1)
    scene.later(3601)
    assert values()["zeke_jobs_failed_last_hour", *QUICK] == 0


def test_costs_add_up_over_a_day_also_of_jobs_that_were_purged(scene: Scene, values: Callable[[], Values]) -> None:
    worker = scene.serve()
    scene.add("quick", 2)
    scene.complete(worker, scene.claim(worker, 1))
    scene.rows(
        "INSERT INTO zeke_jobs.cost (job, task, cost, currency) SELECT message_id, task, 0.25, 'USD' FROM zeke_jobs.queue"
    )
    scene.rows("SELECT * FROM zeke_jobs.purge('quick', 'completed', '-infinity', zeke_jobs.now() + interval '1 s', 10)")
    cost = ("zeke_jobs_cost_last_day", "quick", "USD")
    assert values()[cost] == 0.5
    scene.later(86_500)
    assert cost not in values()


def test_pauses_limits_and_rates_are_told(scene: Scene, values: Callable[[], Values]) -> None:
    scene.add("calm", 2)
    scene.claim(scene.serve(), 2, queue="slow")
    pausing.pause(scene.conn, "limit/ai", by="ann")
    now = values()
    assert (now["zeke_jobs_paused", *CALM], now["zeke_jobs_paused", *QUICK]) == (1, 0)
    shared = {
        name: now[f"zeke_jobs_limit_{name}", "limit/ai"]
        for name in ("active", "concurrency", "rate_wait_seconds", "rate")
    }
    assert shared == {"active": 1, "concurrency": 4, "rate_wait_seconds": pytest.approx(0.955), "rate": 60}
    assert now["zeke_jobs_limit_concurrency", "task/quick"] == 2


def test_processes_are_live_or_stopping_or_lost(scene: Scene, values: Callable[[], Values]) -> None:
    scene.serve(1, threads=8)
    scene.serve(2, threads=3, tasks=["quick"])
    scene.rows("UPDATE zeke_jobs.worker SET stopping = true WHERE pid = 1")
    now = values()
    assert (now["zeke_jobs_processes", "worker", "live"], now["zeke_jobs_threads", "worker", "live"]) == (1, 3)
    assert (now["zeke_jobs_processes", "worker", "stopping"], now["zeke_jobs_processes", "scheduler", "live"]) == (1, 0)
    assert (now["zeke_jobs_serving_processes", *QUICK], now["zeke_jobs_serving_threads", *QUICK]) == (1, 3)
    assert now["zeke_jobs_serving_processes", *CALM] == 0
    scene.later(21)
    assert values()["zeke_jobs_processes", "worker", "lost"] == 2


def test_a_schedule_lags_behind_its_next_tick_unless_it_is_paused(scene: Scene, values: Callable[[], Values]) -> None:
    lag = ("zeke_jobs_schedule_lag_seconds", "calm")
    assert values()[lag] == 0
    assert ("zeke_jobs_scheduler_silence_seconds",) not in values()
    scene.rows(
        """INSERT INTO zeke_jobs.schedule_state (task, cron, timezone, decided_to, next_tick)
        SELECT 'calm', cron, timezone, zeke_jobs.now(), zeke_jobs.now() + interval '1 hour' FROM zeke_jobs.schedule"""
    )
    scene.rows("INSERT INTO zeke_jobs.schedule_beat (beat_on, scheduler) VALUES (zeke_jobs.now(), gen_random_uuid())")
    scene.later(3700)
    now = values()
    assert (now[lag], now[("zeke_jobs_scheduler_silence_seconds",)]) == (100, 3700)
    pausing.pause(scene.conn, "schedule/calm", by="ann")
    assert values()[lag] == 0


def test_a_database_that_does_not_answer_is_a_sample_too() -> None:
    assert read("postgresql://nobody@127.0.0.1:1/none") == [Sample("zeke_jobs_up", (), 0)]


def test_a_database_without_our_tables_cannot_be_read_and_the_log_says_so(new_database: Callable[[], str]) -> None:
    with capture_logs() as lines:
        assert read(new_database()) == [Sample("zeke_jobs_up", (), 0)]
    assert ["run: zeke-jobs migrate" in line["error"] for line in lines] == [True]


def test_the_rights_of_a_reader_are_enough(scene: Scene, database: str) -> None:
    scene.add("quick")
    sign_up(scene.conn)
    samples = read(as_member(database, roles.READER))
    assert {sample.name for sample in samples} <= {family.name for family in DATABASE}
    assert Sample("zeke_jobs_queued", QUICK, 1) in samples
