"""The exported figures equal the figures in the database."""

import os
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.metrics.exported import samples
from tests.zeke_jobs.postgres.members import as_member, sign_up
from zeke_jobs.control import actions
from zeke_jobs.metrics import exposition
from zeke_jobs.metrics.exposition import DATABASE
from zeke_jobs.postgres import roles
from zeke_jobs.worker.metrics import WorkerMetrics

TASKS = """
  quick: {handler: 'H:echo', max_wait: 2m, concurrency: 2, retry: {limit: 0}}
  calm: {handler: 'H:echo', queue: slow, uses: [ai], cron: '0 * * * *'}
"""
TOP = "limits: {ai: {concurrency: 4, rate: 60/m}}"
BEATEN = "INSERT INTO zeke_jobs.schedule_beat (beat_on, scheduler) VALUES (zeke_jobs.now(), gen_random_uuid())"
DECIDED = """INSERT INTO zeke_jobs.schedule_state (task, cron, timezone, decided_to, next_tick)
  SELECT 'calm', cron, timezone, zeke_jobs.now(), zeke_jobs.now() + interval '{}' FROM zeke_jobs.schedule"""
DOWN = [Sample("zeke_jobs_up", {}, 0)]
QUICK, CALM = ("quick", "default"), ("calm", "slow")


@pytest.fixture(autouse=True)
def catalogue(scene: Scene) -> None:
    scene.use(TASKS, TOP)


def values() -> dict[tuple[Any, ...], float]:
    """Read the current metrics by name and labels, as in ``values()["queued", "quick", "default"]``."""
    found = samples(os.environ["DATABASE_URL"])
    return {(one.name.removeprefix("zeke_jobs_"), *one.labels.values()): one.value for one in found}


def test_depth_and_waits_are_told_by_task_to_a_reader_too(scene: Scene, database: str) -> None:
    scene.add("quick", 4)
    scene.claim(scene.serve(), 1, ["quick"])
    scene.later(50)
    now = values()
    assert (now["queued", *QUICK], now["queued", *CALM]) == (3, 0)
    assert (now["active", *QUICK], now["active_limit", *QUICK]) == (1, 2)
    assert (now["oldest_wait_seconds", *QUICK], now["oldest_wait_seconds", *CALM]) == (50, 0)
    assert (now["max_wait_seconds", *QUICK], now["max_wait_breached", *QUICK]) == (120, 0)
    for name in ("active_limit", "max_wait_breached"):
        assert (f"{name}", *CALM) not in now
    scene.later(71)
    assert values()["max_wait_breached", *QUICK] == 1
    sign_up(scene.conn)
    found = samples(as_member(database, roles.READER))
    assert {sample.name for sample in found} <= {family.name for family in DATABASE}
    assert Sample("zeke_jobs_queued", {"task": "quick", "queue": "default"}, 3) in found


def test_ends_and_durations_are_those_of_late_and_costs_those_of_a_day_also_of_purged_jobs(scene: Scene) -> None:
    worker = scene.serve()
    scene.add("quick", 2)
    done, failed = scene.claim(worker, 2)
    scene.start(worker, [done, failed])
    scene.later(3)
    scene.complete(worker, [done])
    scene.finish(worker, failed, "failed")
    scene.rows(
        "INSERT INTO zeke_jobs.cost (job, task, cost, currency) SELECT message_id, task, 0.25, 'USD' FROM zeke_jobs.queue"
    )
    cost = ("cost_last_day", "quick", "USD")
    now = values()
    assert (now["completed_per_minute", *QUICK], now["failed_per_minute", *QUICK], now[cost]) == (1, 1, 0.5)
    assert now["failed_last_hour", *QUICK] == 1
    assert now["handler_seconds", *QUICK, "0.95"] == pytest.approx(3, abs=0.1)
    scene.rows("SELECT * FROM zeke_jobs.purge('quick', 'completed', '-infinity', zeke_jobs.now() + interval '1 s', 10)")
    scene.later(3601)
    assert (values()["failed_last_hour", *QUICK], values()[cost]) == (0, 0.5)
    scene.later(86_500)
    assert cost not in values()


def test_pauses_limits_and_rates_are_told(scene: Scene) -> None:
    scene.add("calm", 2)
    scene.claim(scene.serve(), 2, queue="slow")
    actions.pause(scene.conn, "limit/ai", by="ann")
    now = values()
    assert (now["paused", *CALM], now["paused", *QUICK]) == (1, 0)
    shared = {name: now[f"limit_{name}", "limit/ai"] for name in ("active", "concurrency", "rate_wait_seconds", "rate")}
    assert shared == {"active": 1, "concurrency": 4, "rate_wait_seconds": pytest.approx(0.955), "rate": 60}
    assert now["limit_concurrency", "task/quick"] == 2


def test_processes_are_live_or_stopping_or_lost(scene: Scene) -> None:
    scene.serve(1, threads=8)
    scene.serve(2, threads=3, tasks=["quick"])
    scene.rows("UPDATE zeke_jobs.worker SET stopping = true WHERE pid = 1")
    now = values()
    assert (now["processes", "worker", "live"], now["threads", "worker", "live"]) == (1, 3)
    assert (now["processes", "worker", "stopping"], now["processes", "scheduler", "live"]) == (1, 0)
    assert (now["serving_processes", *QUICK], now["serving_threads", *QUICK]) == (1, 3)
    assert now["serving_processes", *CALM] == 0
    scene.later(21)
    assert values()["processes", "worker", "lost"] == 2


def test_a_schedule_lags_behind_its_next_tick_unless_it_is_paused(scene: Scene) -> None:
    lag = ("schedule_lag_seconds", "calm")
    assert values()[lag] == 0
    assert ("scheduler_silence_seconds",) not in values()
    scene.rows(DECIDED.format("1 hour"))
    scene.rows(BEATEN)
    scene.later(3700)
    now = values()
    assert (now[lag], now[("scheduler_silence_seconds",)]) == (100, 3700)
    actions.pause(scene.conn, "schedule/calm", by="ann")
    assert values()[lag] == 0


def test_a_database_that_does_not_answer_or_has_no_tables_is_a_sample_and_the_status_too(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, new_database: Callable[[], str]
) -> None:
    ran = cli("metrics")
    assert (ran.status, "\nzeke_jobs_up 1.0\n" in ran.out) == (0, True)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    ran = cli("metrics")
    assert (ran.status, "\nzeke_jobs_up 0.0\n" in ran.out) == (1, True)
    assert samples(os.environ["DATABASE_URL"]) == DOWN
    with capture_logs() as lines:
        assert samples(new_database()) == DOWN
    assert ["run: zeke-jobs migrate" in line["error"] for line in lines] == [True]


def test_a_folder_that_cannot_be_had_ends_the_process_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Mock(side_effect=PermissionError("expected /tmp/x to be ours, got one of another user; remove it"))
    monkeypatch.setattr(exposition, "prepare", refused)
    with pytest.raises(SystemExit, match="2"):
        WorkerMetrics().after_process_boot(None)
    assert "expected a folder for metrics, got: expected /tmp/x to be ours" in capsys.readouterr().err
