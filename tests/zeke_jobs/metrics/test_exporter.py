"""The exported figures equal those in the database. docs/metrics.md lists all metrics; ``UPDATE_GOLDEN=1`` rewrites its
table. If promtool is installed, it checks that each alert fires while its problem lasts."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from prometheus_client.samples import Sample
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.cli.test_every_command import tree
from tests.zeke_jobs.commands import Cli, NewDatabase, Patch
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.metrics.conftest import ALL, samples
from tests.zeke_jobs.postgres.members import as_member, sign_up
from zeke_jobs.control import actions
from zeke_jobs.metrics import exposition
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


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.use(TASKS, TOP)
    return scene


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
    assert {sample.name for sample in found} <= {family.name for family in exposition.DATABASE}
    assert Sample("zeke_jobs_queued", {"task": "quick", "queue": "default"}, 3) in found


def test_ends_and_durations_are_those_of_late_and_costs_those_of_a_day_also_of_purged_jobs(scene: Scene) -> None:
    worker = scene.serve()
    scene.add("quick", 2)
    done, failed = scene.claim(worker, 2)
    scene.start(worker, [done, failed])
    scene.later(3)
    scene.complete(worker, [done])
    scene.finish(worker, failed, "failed")
    costs = "INSERT INTO zeke_jobs.cost (job, task, cost, currency) SELECT message_id, task, 0.25, 'USD'"
    scene.rows(f"{costs} FROM zeke_jobs.queue")
    zeke_jobs.cancel(scene.add("quick")[0])
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


def test_processes_live_stopping_or_lost_pauses_limits_rates_and_lags_of_schedules_are_told(scene: Scene) -> None:
    scene.serve(1, threads=8)
    scene.serve(2, threads=3, tasks=["quick"])
    scene.rows("UPDATE zeke_jobs.worker SET stopping = true WHERE pid = 1")
    now = values()
    assert (now["processes", "worker", "live"], now["threads", "worker", "live"]) == (1, 3)
    assert (now["processes", "worker", "stopping"], now["processes", "scheduler", "live"]) == (1, 0)
    assert (now["serving_processes", *QUICK], now["serving_threads", *QUICK]) == (1, 3)
    assert now["serving_processes", *CALM] == 0
    scene.later(21)
    now = values()
    assert (now["processes", "worker", "lost"], now["serving_processes", *QUICK]) == (2, 0)
    scene.add("calm", 2)
    scene.claim(scene.serve(), 2, queue="slow")
    actions.pause(scene.conn, "limit/ai", by="ann")
    now = values()
    assert (now["paused", *CALM], now["paused", *QUICK]) == (1, 0)
    shared = {name: now[f"limit_{name}", "limit/ai"] for name in ("active", "concurrency", "rate_wait_seconds", "rate")}
    assert shared == {"active": 1, "concurrency": 4, "rate_wait_seconds": pytest.approx(0.955), "rate": 60}
    assert now["limit_concurrency", "task/quick"] == 2
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
    scene.use(TASKS.replace(", cron: '0 * * * *'", ""), TOP)
    assert ("scheduler_silence_seconds",) not in values(), "without schedules nobody misses a scheduler"


@pytest.mark.usefixtures("scene")
def test_no_database_or_tables_are_a_sample_and_status(cli: Cli, monkeypatch: Patch, new_database: NewDatabase) -> None:
    cli("metrics").says("\nzeke_jobs_up 1.0\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    cli("metrics").says("\nzeke_jobs_up 0.0\n", status=1)
    assert samples(os.environ["DATABASE_URL"]) == DOWN
    with capture_logs() as lines:
        assert samples(new_database()) == DOWN
    assert ["run: zeke-jobs migrate" in line["error"] for line in lines] == [True]


def test_a_folder_that_cannot_be_had_ends_the_process(monkeypatch: Patch, capsys: pytest.CaptureFixture[str]) -> None:
    refused = Mock(side_effect=PermissionError("expected /tmp/x to be ours, got one of another user; remove it"))
    monkeypatch.setattr(exposition, "prepare", refused)
    with pytest.raises(SystemExit, match="2"):
        WorkerMetrics().after_process_boot(None)
    assert "expected a folder for metrics, got: expected /tmp/x to be ours" in capsys.readouterr().err


PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_table_is_what_there_is_and_the_page_names_no_other_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = "| metric | kind | labels | means |\n|---|---|---|---|\n"
    for family in ALL:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        table += f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"
    block = re.compile(r"(<!-- metrics: begin -->\n).*?(<!-- metrics: end -->)", re.DOTALL)
    wanted = block.sub(lambda found: found[1] + table + found[2], page)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
    else:
        assert page == wanted, "run: UPDATE_GOLDEN=1 pytest tests/zeke_jobs/metrics/test_exporter.py"
    named = set(re.findall(r"\b(?:zeke_jobs|dramatiq)_[a-z_]+", page))
    assert named - {family.name for family in ALL} <= {"zeke_jobs_reader"}


RULES = Path(__file__).parents[3] / "docker" / "prometheus" / "alerts.yaml"
LABELS = {family.name: family.labels for family in ALL}
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
PHASE = 40  # Each phase takes PHASE minutes.
#: With these figures in three phases, an alert fires in the second one; None is a phase without a figure.
TROUBLES: list[tuple[str, dict[str, tuple[float | None, ...]]]] = [
    ("ZekeJobsExporterDown", {'up{job="zeke-jobs"}': (1, 0, 1)}),
    ("ZekeJobsDatabaseDown", {"zeke_jobs_up": (1, 0, 1)}),
    ("ZekeJobsTaskUnserved", {"zeke_jobs_serving_processes": (1, 0, 1)}),
    ("ZekeJobsNoScheduler", {"zeke_jobs_scheduler_silence_seconds": (20, 200, 20)}),
    # No scheduler has ever run, which is a fault only if a task has a schedule.
    ("ZekeJobsNoScheduler", {"zeke_jobs_scheduler_silence_seconds": (None, None, 20), "zeke_jobs_schedule_lag_seconds": (None, 0, 0)}),
    ("ZekeJobsScheduleLags", {"zeke_jobs_schedule_lag_seconds": (0, 240, 0)}),
    ("ZekeJobsMaxWaitBreached", {"zeke_jobs_max_wait_breached": (0, 1, 0)}),
    # Jobs of a paused task may wait, and a task with max_wait has another alert.
    ("ZekeJobsWaitsLong", {"zeke_jobs_oldest_wait_seconds": (0, 3601, 3601), "zeke_jobs_paused": (0, 0, 1)}),
    ("ZekeJobsWaitsLong", {"zeke_jobs_oldest_wait_seconds": (0, 3601, 3601), "zeke_jobs_max_wait_seconds": (None, None, 7200)}),
    ("ZekeJobsFailing", {"zeke_jobs_failed_last_hour": (9, 12, 12), "zeke_jobs_failed_per_minute": (2, 2, 2), "zeke_jobs_completed_per_minute": (2, 2, 3)}),
    ("ZekeJobsBacklogGrows", {"zeke_jobs_queued": (900, 1100, 1200), "zeke_jobs_paused": (0, 0, 0)}),
    ("ZekeJobsProcessesLost", {'zeke_jobs_processes{kind="worker",state="lost"}': (0, 1, 0)}),
    ("ZekeJobsThreadsLost", {"zeke_jobs_threads_lost": (0, 1, 0)}),
]  # fmt: skip


def promtool(*arguments: object) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def series(name: str, values: tuple[float | None, ...]) -> dict[str, str]:
    labels = "" if "{" in name else ",".join(f'{label}="one"' for label in LABELS[name])
    phases = (f"_x{PHASE}" if value is None else f"{value}x{PHASE - 1}" for value in values)
    return {"series": f"{name}{{{labels}}}" if labels else name, "values": " ".join(phases)}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_each_alert_fires_while_its_trouble_is_there_and_only_then(tmp_path: Path) -> None:
    promtool("check", "rules", "--lint-fatal", RULES)
    promtool("check", "config", RULES.with_name("prometheus.yaml"))
    assert {alert for alert, _ in TROUBLES} == ALERTS.keys()
    expr = 'count(ALERTS{{alertname="{}", alertstate="firing"}}) > bool 0'
    times = [(f"{n * PHASE + PHASE // 2}m", [{"labels": "{}", "value": 1}] if n == 1 else []) for n in range(3)]
    tests = [
        {
            "interval": "1m",
            "input_series": [series(name, values) for name, values in figures.items()],
            "promql_expr_test": [
                {"expr": expr.format(alert), "eval_time": time, "exp_samples": fires} for time, fires in times
            ],
        }
        for alert, figures in TROUBLES
    ]
    path = tmp_path / "rules_test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", path)


@each("rule", ALERTS.values())
def test_a_rule_asks_for_metrics_that_exist_and_says_what_to_do(rule: dict[str, Any]) -> None:
    asked = set(re.findall(r"\bzeke_jobs_\w+", rule["expr"]))
    assert asked <= LABELS.keys()
    assert asked or "up{" in rule["expr"]
    said = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) - {"instance"}
    assert all(said <= set(LABELS[name]) for name in asked)
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "help"}
    assert set(re.findall(r"zeke-jobs (\w+)", rule["annotations"]["help"])) <= set(tree().commands)
