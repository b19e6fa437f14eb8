"""``zeke_jobs.due_jobs`` tells an autoscaler the number of due jobs, and whether a run is over."""

from datetime import datetime, timedelta

import pytest

from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.control import actions
from zeke_jobs.diagnosis import fleet

TASKS = """
  plain: {handler: 'H:echo', retry: {limit: 2}}
  three: {handler: 'H:echo', concurrency: 3, aliases: [drei]}
  slow: {handler: 'H:echo', queue: slow, uses: [ai]}
  line: {handler: 'H:echo', queue: lines, order: strict}
"""
TOP = "limits: {ai: {concurrency: 1}}"


def due(scene: Scene, queue: str | None = None, task: str | None = None) -> int:
    (row,) = scene.rows("SELECT zeke_jobs.due_jobs(%s, %s) AS n", queue, task)
    number: int = row["n"]
    return number


@pytest.fixture(autouse=True)
def catalogue(scene: Scene) -> None:
    scene.use(TASKS, TOP)


def test_due_and_active_jobs_count_by_queue_and_task_and_delayed_ones_do_not(scene: Scene) -> None:
    assert due(scene) == 0
    scene.add("plain", 2)
    scene.add("plain", options='{"delay": 60}')
    scene.add("slow", 4)
    asked: list[tuple[str | None, str | None]] = [
        (None, None), ("default", None), ("slow", None), (None, "slow"), ("slow", "plain"),
    ]  # fmt: skip
    assert [due(scene, *one) for one in asked] == [6, 2, 4, 4, 0]
    assert due(scene, "nowhere") == 0
    (claim, _) = scene.claim(worker := scene.serve(), 8)
    assert due(scene, "default") == 2
    scene.complete(worker, [claim])
    assert due(scene, "default") == 1
    scene.later(61)
    assert due(scene, "default") == 2


def test_of_a_task_no_more_than_may_run_at_once(scene: Scene) -> None:
    scene.add("three", 5)
    assert due(scene, None, "drei") == 3
    assert len(scene.claim(scene.serve(), 8)) == 3
    assert due(scene) == 3


def test_paused_jobs_do_not_count_but_active_ones_do(scene: Scene) -> None:
    scene.add("slow", 2)
    assert len(scene.claim(scene.serve(), 1, queue="slow")) == 1
    for target in ("task/slow", "queue/slow", "limit/ai"):
        assert due(scene) == 2
        actions.pause(scene.conn, target, by="me")
        assert due(scene) == 1
        actions.resume(scene.conn, target)


def test_of_jobs_in_strict_order_the_first_of_each_key_counts_unless_it_failed(scene: Scene) -> None:
    oldest, *_ = scene.add("line", 3, options='{"key": "a"}')
    scene.add("line", 1, options='{"key": "b"}')
    assert due(scene, "lines") == 2
    worker = scene.serve()
    claims = {claim["message_id"]: claim for claim in scene.claim(worker, 8, queue="lines")}
    assert due(scene, "lines") == len(claims) == 2
    scene.finish(worker, claims[oldest], "failed")
    assert due(scene, "lines") == 1


def test_jobs_behind_a_delayed_one_in_strict_order_do_not_count(scene: Scene) -> None:
    scene.add("line", 1, options='{"key": "a", "delay": 60}')
    scene.add("line", 3, options='{"key": "a"}')
    scene.add("line", 2, options='{"key": "b"}')
    assert due(scene, "lines") == 1
    assert len(scene.claim(scene.serve(), 8, queue="lines")) == 1
    assert due(scene, "lines") == 1
    scene.later(61)
    assert due(scene, "lines") == 2


def test_a_run_is_over_when_its_own_retries_are_and_not_before(scene: Scene) -> None:
    def over(since: datetime = NOON) -> bool:
        return fleet.is_idle(scene.conn, ["default"], since)

    assert over()
    scene.add("slow")
    scene.add("plain", options='{"delay": 600}')
    assert over()
    scene.add("plain")
    assert not over()
    (claim,) = scene.claim(worker := scene.serve(), 1)
    assert not over()
    scene.later(1)
    scene.finish(worker, claim, "retry", delay=60.0)
    assert not over()
    assert over(NOON + timedelta(seconds=1))  # A run that begins a second later does not wait for the job.
    actions.pause(scene.conn, "task/plain", by="me")
    assert over()
    actions.resume(scene.conn, "task/plain")
    scene.later(61)
    (claim,) = scene.claim(worker, 1)
    scene.finish(worker, claim, "failed", error='{"type": "E", "message": "m"}')
    assert over()
    assert fleet.failed_jobs(scene.conn, ["default"], NOON) == [f"failed: plain {claim['message_id']}: E: m"]
    assert fleet.failed_jobs(scene.conn, ["default"], NOON + timedelta(seconds=120)) == []
    assert fleet.failed_jobs(scene.conn, ["slow"], NOON) == []
