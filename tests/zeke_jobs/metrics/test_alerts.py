"""Each alert fires once its trouble is really there, and clears when it is gone."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from tests.each import each
from tests.zeke_jobs.cli.test_hostile_text import tree
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.metrics import promtool
from tests.zeke_jobs.metrics.promtool import LABELS, RULES
from zeke_jobs.metrics.exporter import Sample, read

TASKS = """
  quick: {handler: 'H:echo', max_wait: 2m, retry: {limit: 0}}
  calm: {handler: 'H:echo', cron: '0 * * * *', retry: {limit: 0}}
"""
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
needs_promtool = pytest.mark.skipif(promtool.PROMTOOL is None, reason="promtool is not installed")


@dataclass
class World:
    """A healthy installation at noon: a worker and a scheduler that live, a schedule in time, nothing that waits."""

    scene: Scene
    url: str
    worker: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.scene.use(TASKS)
        self.worker = self.scene.serve()
        self.scene.rows(
            "INSERT INTO zeke_jobs.schedule_beat (beat_on, scheduler) VALUES (zeke_jobs.now(), gen_random_uuid())"
        )
        self.scene.rows(
            """INSERT INTO zeke_jobs.schedule_state (task, cron, timezone, decided_to, next_tick)
            SELECT 'calm', cron, timezone, zeke_jobs.now(), zeke_jobs.now() + interval '1 day' FROM zeke_jobs.schedule"""
        )

    def heartbeat(self) -> None:
        self.scene.rows("UPDATE zeke_jobs.worker SET heartbeat_on = zeke_jobs.now()")

    def beat(self) -> None:
        self.scene.rows("UPDATE zeke_jobs.schedule_beat SET beat_on = zeke_jobs.now()")

    def later(self, seconds: float) -> None:
        """Time passes, and both processes prove that they live."""
        self.scene.later(seconds)
        self.heartbeat()
        self.beat()

    def end_all(self, how: str) -> None:
        for claim in self.scene.claim(self.worker, 100):
            self.scene.finish(self.worker, claim, how)

    def run(self, sql: str) -> Callable[[], Any]:
        return lambda: self.scene.rows(sql)

    def wait(self, task: str, seconds: float, jobs: int = 1) -> None:
        self.scene.add(task, jobs)
        self.later(seconds)

    def fail(self) -> None:
        self.scene.add("quick", 12)
        self.end_all("failed")


@pytest.fixture
def world(scene: Scene, database: str) -> World:
    return World(scene, database)


def troubles(world: World) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """The cause and the end of each trouble."""
    return {
        "ZekeJobsTaskUnserved": (
            world.run("UPDATE zeke_jobs.worker SET stopping = true"),
            world.run("UPDATE zeke_jobs.worker SET stopping = false"),
        ),
        "ZekeJobsNoScheduler": (lambda: world.scene.later(200), world.beat),
        "ZekeJobsScheduleLags": (
            world.run("UPDATE zeke_jobs.schedule_state SET next_tick = zeke_jobs.now() - interval '4 minutes'"),
            world.run("UPDATE zeke_jobs.schedule_state SET next_tick = zeke_jobs.now() + interval '1 hour'"),
        ),
        "ZekeJobsMaxWaitBreached": (lambda: world.wait("quick", 121), lambda: world.end_all("failed")),
        "ZekeJobsWaitsLong": (lambda: world.wait("calm", 3601), lambda: world.end_all("failed")),
        "ZekeJobsFailing": (world.fail, lambda: world.later(3700)),
        "ZekeJobsBacklogGrows": (
            lambda: world.scene.add("calm", 1001),
            world.run("DELETE FROM zeke_jobs.queue"),
        ),
        "ZekeJobsProcessesLost": (lambda: world.scene.later(30), world.heartbeat),
    }


@needs_promtool
def test_each_alert_fires_while_its_trouble_is_there(world: World, tmp_path: Path) -> None:
    scrapes: dict[str, list[Any]] = {}
    for alert, steps in troubles(world).items():
        scrapes[alert] = [read(world.url)]
        for step in steps:
            step()
            scrapes[alert].append(read(world.url))
    up, down = read(world.url), read("postgresql://nobody@127.0.0.1:1/none")
    scrapes["ZekeJobsDatabaseDown"] = [up, down, up]
    scrapes["ZekeJobsExporterDown"] = [up, None, up]
    scrapes["ZekeJobsThreadsLost"] = [[Sample("zeke_jobs_threads_lost", (), lost)] for lost in (0, 1, 0)]
    assert promtool.fires(tmp_path, scrapes) == {alert: [False, True, False] for alert in ALERTS}


@needs_promtool
def test_no_scheduler_ever_is_no_scheduler_and_what_is_paused_may_wait(world: World, tmp_path: Path) -> None:
    beaten = read(world.url)
    world.scene.rows("DELETE FROM zeke_jobs.schedule_beat")
    scrapes: dict[str, list[Any]] = {"ZekeJobsNoScheduler": [[], read(world.url), beaten]}
    world.wait("calm", 3601)
    waiting = read(world.url)
    world.scene.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/calm', 'ann')")
    scrapes["ZekeJobsWaitsLong"] = [[], waiting, read(world.url)]
    assert promtool.fires(tmp_path, scrapes) == {alert: [False, True, False] for alert in scrapes}


@needs_promtool
def test_the_rules_and_the_configuration_are_valid() -> None:
    promtool.check("check", "rules", "--lint-fatal", str(RULES))
    promtool.check("check", "config", str(RULES.with_name("prometheus.yaml")))


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
