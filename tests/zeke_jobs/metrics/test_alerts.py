"""Each alert fires once its trouble has begun, and clears when the trouble has ended, as promtool says if installed."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.samples import Sample
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.zeke_jobs.cli.test_every_command import tree
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.metrics.exported import ALL, samples
from tests.zeke_jobs.metrics.test_exporter import BEATEN, DECIDED

TASKS = """
  quick: {handler: 'H:echo', max_wait: 2m, retry: {limit: 0}}
  calm: {handler: 'H:echo', cron: '0 * * * *', retry: {limit: 0}}
"""
RULES = Path(__file__).parents[3] / "docker" / "prometheus" / "alerts.yaml"
LABELS = {family.name: family.labels for family in ALL}
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
PHASE = 40  # Each scrape is repeated for PHASE minutes.
BEAT = "UPDATE zeke_jobs.schedule_beat SET beat_on = zeke_jobs.now()"
HEARTBEAT = "UPDATE zeke_jobs.worker SET heartbeat_on = zeke_jobs.now()"
STOPPING = "UPDATE zeke_jobs.worker SET stopping = {}"
NEXT = "UPDATE zeke_jobs.schedule_state SET next_tick = zeke_jobs.now() + interval '{}'"


def promtool(*arguments: object) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def series(scrapes: Sequence[Iterable[Sample] | None]) -> dict[str, str]:
    """Write series in promtool's notation; each scrape is a phase, and None is a phase without successful scrapes."""
    found: dict[str, list[str]] = {}
    for number, scrape in enumerate(scrapes):
        values = {'up{job="zeke-jobs"}': 0.0 if scrape is None else 1.0}
        for sample in scrape or ():
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            values[f"{sample.name}{{{labels}}}"] = sample.value
        for name in found.keys() | values.keys():
            so_far = found.setdefault(name, [f"_x{PHASE}"] * number)
            so_far.append(f"{values[name]}x{PHASE - 1}" if name in values else f"_x{PHASE}")
    return {name: " ".join(values) for name, values in found.items()}


def fire_in_the_second_phase_alone(folder: Path, scrapes: Mapping[str, Sequence[Iterable[Sample] | None]]) -> None:
    """Check with promtool that each alert fires in the second of its three phases, and only then."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series(phases).items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0',
                    "eval_time": f"{phase * PHASE + PHASE // 2}m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if phase == 1 else [],
                }
                for phase in range(3)
            ],
        }
        for alert, phases in scrapes.items()
    ]
    path = folder / "rules_test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", path)


class World(Scene):
    """A healthy installation at noon has a live worker, a live scheduler, a punctual schedule and no waiting job."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn)
        self.use(TASKS)
        self.worked_by = self.serve()
        self.rows(BEATEN)
        self.rows(DECIDED.format("1 day"))

    def end_all(self) -> None:
        for claim in self.claim(self.worked_by, 100):
            self.finish(self.worked_by, claim, "failed")

    def wait(self, task: str, seconds: float) -> None:
        """Let a job wait while both processes send heartbeats."""
        self.add(task)
        self.later(seconds)
        self.rows(f"{BEAT}; {HEARTBEAT}")

    def fail(self) -> None:
        self.add("quick", 12)
        self.end_all()


@pytest.fixture
def world(conn: Connection) -> World:
    return World(conn)


Step = str | Callable[[World], Any]
#: Each alert has the cause and the end of its trouble.
TROUBLES: dict[str, tuple[Step, Step]] = {
    "ZekeJobsTaskUnserved": (STOPPING.format(True), STOPPING.format(False)),
    "ZekeJobsNoScheduler": (lambda world: world.later(200), BEAT),
    "ZekeJobsScheduleLags": (NEXT.format("-4 minutes"), NEXT.format("1 hour")),
    "ZekeJobsMaxWaitBreached": (lambda world: world.wait("quick", 121), World.end_all),
    "ZekeJobsWaitsLong": (lambda world: world.wait("calm", 3601), World.end_all),
    "ZekeJobsFailing": (World.fail, lambda world: world.wait("calm", 3700)),
    "ZekeJobsBacklogGrows": (lambda world: world.add("calm", 1001), "DELETE FROM zeke_jobs.queue"),
    "ZekeJobsProcessesLost": (lambda world: world.later(30), HEARTBEAT),
}


@needs_promtool
def test_each_alert_fires_while_its_trouble_is_there(world: World, database: str, tmp_path: Path) -> None:
    scrapes: dict[str, list[Any]] = {}
    for alert, steps in TROUBLES.items():
        scrapes[alert] = [samples(database)]
        for step in steps:
            _ = world.rows(step) if isinstance(step, str) else step(world)
            scrapes[alert].append(samples(database))
    up, down = samples(database), samples("postgresql://nobody@127.0.0.1:1/none")
    scrapes["ZekeJobsDatabaseDown"] = [up, down, up]
    scrapes["ZekeJobsExporterDown"] = [up, None, up]
    scrapes["ZekeJobsThreadsLost"] = [[Sample("zeke_jobs_threads_lost", {}, lost)] for lost in (0, 1, 0)]
    assert scrapes.keys() == ALERTS.keys()
    fire_in_the_second_phase_alone(tmp_path, scrapes)


@needs_promtool
def test_no_scheduler_ever_is_none_and_what_is_paused_may_wait(world: World, database: str, tmp_path: Path) -> None:
    beaten = samples(database)
    world.rows("DELETE FROM zeke_jobs.schedule_beat")
    scrapes: dict[str, list[Any]] = {"ZekeJobsNoScheduler": [[], samples(database), beaten]}
    world.wait("calm", 3601)
    waiting = samples(database)
    world.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/calm', 'ann')")
    scrapes["ZekeJobsWaitsLong"] = [[], waiting, samples(database)]
    fire_in_the_second_phase_alone(tmp_path, scrapes)


@needs_promtool
def test_the_rules_and_the_configuration_are_valid() -> None:
    promtool("check", "rules", "--lint-fatal", RULES)
    promtool("check", "config", RULES.with_name("prometheus.yaml"))


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
