"""``due_jobs`` counts due jobs for an autoscaler, ``is_idle`` finds idle queues, and ``max_wait`` finds late jobs."""

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.sql import value
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.control import actions
from zeke_jobs.diagnosis import fleet
from zeke_jobs.scheduler import beat

TASKS = """
  plain: {handler: 'H:echo', retry: {limit: 2}}
  three: {handler: 'H:echo', concurrency: 3, aliases: [drei]}
  slow: {handler: 'H:echo', queue: slow, uses: [ai], max_wait: 1h}
  line: {handler: 'H:echo', queue: lines, order: strict}
  quick: {handler: 'H:echo', max_wait: 2m, concurrency: 1}
"""
TOP = "limits: {ai: {concurrency: 1}}"
TARGETS = ("task/slow", "queue/slow", "limit/ai")


@pytest.fixture(autouse=True)
def catalogue(scene: Scene) -> None:
    scene.use(TASKS, TOP)


def due(scene: Scene, queue: str | None = None, task: str | None = None) -> Any:
    return value(scene.conn, "SELECT zeke_jobs.due_jobs(%s, %s)", queue, task)


def late(scene: Scene) -> list[str]:
    return [row["task"] for row in scene.rows("SELECT task FROM zeke_jobs.task_wait WHERE is_late ORDER BY task")]


def test_due_and_active_jobs_count_but_no_more_than_may_run_and_no_due_ones_while_paused(scene: Scene) -> None:
    assert due(scene) == 0
    scene.add("plain", 2)
    scene.add("plain", options='{"delay": 60}')
    scene.add("slow", 4)
    asked: list[tuple[str | None, str | None]] = [(None, None), ("default", None), ("slow", None), (None, "slow")]
    assert [due(scene, *one) for one in asked] == [6, 2, 4, 4]
    assert due(scene, "slow", "plain") == due(scene, "nowhere") == 0
    (claim, _) = scene.claim(worker := scene.serve(), 8)
    assert due(scene, "default") == 2
    scene.complete(worker, [claim])
    assert due(scene, "default") == 1
    scene.later(61)
    assert due(scene, "default") == 2
    scene.rows("DELETE FROM zeke_jobs.queue")
    scene.add("three", 5)
    worker = scene.serve()
    assert due(scene, None, "drei") == len(scene.claim(worker, 8)) == due(scene) == 3
    scene.add("slow", 2)
    assert len(scene.claim(worker, 1, queue="slow")) == 1
    for target in TARGETS:
        assert due(scene, "slow") == 2
        actions.pause(scene.conn, target, by="me")
        assert due(scene, "slow") == 1
        actions.resume(scene.conn, target)


def test_of_jobs_in_strict_order_the_first_of_each_key_counts_unless_it_failed_or_is_delayed(scene: Scene) -> None:
    scene.add("line", 1, options='{"key": "a", "delay": 60}')
    scene.add("line", 3, options='{"key": "a"}')
    scene.add("line", 2, options='{"key": "b"}')
    worker = scene.serve()
    assert due(scene, "lines") == 1
    (claim,) = scene.claim(worker, 8, queue="lines")
    assert due(scene, "lines") == 1
    scene.later(61)
    assert due(scene, "lines") == 2
    scene.finish(worker, claim, "failed")
    assert due(scene, "lines") == 1


def test_a_run_of_one_queue_waits_for_no_job_of_another_and_names_none_that_failed_there(scene: Scene) -> None:
    def idle() -> list[bool]:
        return [fleet.is_idle(scene.conn, [queue], NOON) for queue in ("default", "slow")]

    assert idle() == [True, True]
    scene.add("slow")
    (claim,) = scene.claim(worker := scene.serve(), 1, queue="slow")
    assert idle() == [True, False]
    scene.finish(worker, claim, "retry", delay=60.0)
    assert idle() == [True, False]
    scene.later(61)
    (claim,) = scene.claim(worker, 1, queue="slow")
    scene.finish(worker, claim, "failed", error='{"type": "E", "message": "m"}')
    assert idle() == [True, True]
    failed = [f"failed: slow {claim['message_id']}: E: m"]
    assert [fleet.failed_jobs(scene.conn, [queue], NOON) for queue in ("default", "slow")] == [[], failed]


def test_the_oldest_due_job_decides_whether_its_task_is_late_whatever_it_waits_for(scene: Scene) -> None:
    scene.add("plain")  # A task without max_wait is never late.
    scene.add("quick", options='{"delay": 300}')  # The job's wait begins when the job is due.
    quick = "SELECT wait, max_wait FROM zeke_jobs.task_wait WHERE task = 'quick'"
    assert scene.rows(quick) == [{"wait": None, "max_wait": timedelta(minutes=2)}]
    scene.later(400)
    scene.add("quick", options='{"priority": 9}')
    assert late(scene) == []
    scene.claim(scene.serve(), 1, ["quick"])  # The other job waits for the limit.
    scene.later(21)
    assert late(scene) == ["quick"]
    assert scene.rows(quick)[0]["wait"] == timedelta(seconds=121)
    scene.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE state = 'queued'")  # The job must run alone.
    assert late(scene) == ["quick"]


def test_a_paused_task_is_late_only_after_it_is_resumed_and_each_beginning_and_end_is_one_line(scene: Scene) -> None:
    scene.add("slow")
    scene.later(3700)
    for target in TARGETS:
        actions.pause(scene.conn, target, by="ann")
        assert late(scene) == []
        actions.resume(scene.conn, target)
        assert late(scene) == ["slow"]
    scene.rows("DELETE FROM zeke_jobs.queue")
    scene.add("quick", 30)
    scene.later(121)
    with capture_logs() as lines:
        late_now = beat.log_lateness(scene.conn, set())
        scene.later(60)
        late_now = beat.log_lateness(scene.conn, late_now)
        assert late_now == {"quick"}
        scene.rows("UPDATE zeke_jobs.queue SET state = 'done'")
        assert beat.log_lateness(scene.conn, beat.log_lateness(scene.conn, late_now)) == set()
    begun, ended = lines
    told = begun["log_level"], begun["task"], begun["max_wait"], begun["oldest_waits"]
    assert told == ("warning", "quick", "2m", "2m1s")
    assert (ended["log_level"], ended["task"]) == ("info", "quick")
