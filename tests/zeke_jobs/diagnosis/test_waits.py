"""``max_wait`` finds jobs that wait too long by the database's clock, and logs each beginning and end once."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from tests.zeke_jobs.diagnosis.conftest import Scene
from zeke_jobs.control import actions
from zeke_jobs.scheduler import beat

TASKS = """
  quick: {handler: 'H:echo', max_wait: 2m, concurrency: 1, retry: {limit: 2}}
  patient: {handler: 'H:echo', uses: [ai], queue: slow, max_wait: 1h}
  calm: {handler: 'H:echo'}
"""
TOP = "limits: {ai: {concurrency: 1}}"


@pytest.fixture(autouse=True)
def catalogue(scene: Scene) -> None:
    scene.use(TASKS, TOP)


def late(scene: Scene) -> list[str]:
    return [row["task"] for row in scene.rows("SELECT task FROM zeke_jobs.task_wait WHERE is_late ORDER BY task")]


def test_the_oldest_due_job_decides_and_a_task_without_max_wait_is_never_late(scene: Scene) -> None:
    scene.add("calm")
    scene.add("quick", options='{"delay": 300}')  # The job's wait begins when the job is due.
    quick = "SELECT wait, max_wait FROM zeke_jobs.task_wait WHERE task = 'quick'"
    assert scene.rows(quick) == [{"wait": None, "max_wait": timedelta(minutes=2)}]
    scene.later(400)
    scene.add("quick", options='{"priority": 9}')
    assert late(scene) == []
    scene.later(21)
    assert late(scene) == ["quick"]
    assert scene.rows(quick)[0]["wait"] == timedelta(seconds=121)


def test_a_job_that_waits_for_a_limit_or_for_a_process_of_its_own_counts(scene: Scene) -> None:
    worker = scene.serve()
    scene.add("quick", 2)
    scene.claim(worker, 2)
    scene.later(121)
    assert late(scene) == ["quick"]
    scene.rows("UPDATE zeke_jobs.queue SET deaths = 1 WHERE state = 'queued'")
    assert late(scene) == ["quick"]


def test_a_paused_task_is_late_only_after_it_is_resumed(scene: Scene) -> None:
    scene.add("patient")
    scene.later(3700)
    for target in ("task/patient", "queue/slow", "limit/ai"):
        actions.pause(scene.conn, target, by="ann")
        assert late(scene) == []
        actions.resume(scene.conn, target)
        assert late(scene) == ["patient"]


def test_each_beginning_and_each_end_is_one_line_however_many_jobs_and_beats_there_are(scene: Scene) -> None:
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
