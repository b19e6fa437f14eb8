"""The board reads all figures as of one moment, with few statements. The class Feed reads the board repeatedly."""

from contextlib import closing
from datetime import timedelta
from uuid import UUID

import pytest

from tests.waiting import eventually
from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.diagnosis.conftest import Scene, scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.control import actions
from zeke_jobs.postgres.queries import Row
from zeke_jobs.top import app as top_app, panes
from zeke_jobs.top.screen import Command

__all__ = ["scene"]
TOP = "limits: {ai: {concurrency: 3, rate: {limit: 60/m, burst: 10}}}"
TASKS = """
  limited: {handler: 'H:echo', concurrency: 2, max_wait: 1m}
  plain: {handler: 'H:echo', uses: [ai]}
  pull: {handler: 'H:echo', cron: '*/5 * * * *'}
"""


@pytest.fixture
def worker(scene: Scene) -> UUID:
    scene.use(TASKS, TOP)
    return scene.serve()


def line(read: panes.Board, task: str) -> Row:
    return next(one for one in read.tasks if one.task == task)


def test_a_task_shows_what_waits_runs_and_ends(scene: Scene, worker: UUID) -> None:
    scene.add("limited", 5)
    scene.add("plain", 2)
    scene.later(3)
    claims = scene.claim(worker, 2, ["plain"])
    scene.start(worker, claims)
    scene.later(4)
    scene.complete(worker, claims[:1])
    scene.finish(worker, claims[1], "failed", error='{"type": "OSError", "message": "no route"}')
    scene.claim(worker, 9, ["limited"])
    scene.later(10)
    read = panes.read(scene.conn)
    limited, plain = line(read, "limited"), line(read, "plain")
    assert (limited.queued, limited.active, limited.active_limit) == (3, 2, 2)
    assert limited.wait == timedelta(seconds=17)
    assert (plain.done_per_minute, plain.failed_per_minute, plain.p50, plain.p95) == (1, 1, 4, 4)
    claimed = scene.rows("SELECT task, claimed_on FROM zeke_jobs.queue WHERE worker IS NOT NULL ORDER BY claimed_on")
    assert [{"task": one.task, "claimed_on": one.since} for one in read.running] == claimed
    assert [one.task for one in read.running] == ["limited"] * 2
    assert [(one.task, one.type, one.message) for one in read.failed] == [("plain", "OSError", "no route")]
    (limit,) = read.limits
    assert (limit.name, limit.active, limit.active_limit, limit.rate_count) == ("limit/ai", 0, 3, 60)
    assert [(one.kind, one.busy, one.threads) for one in read.workers] == [("worker", 2, 8)]
    assert [(one.schedule, one.cron) for one in read.schedules] == [("pull", "*/5 * * * *")]
    assert read.now > NOON


def test_a_pace_beyond_the_sample_is_told_from_the_time_that_the_sample_took(scene: Scene, worker: UUID) -> None:
    scene.add("pull", 300)
    scene.complete(worker, scene.claim(worker, 300, ["pull"]))
    scene.later(2)
    assert line(panes.read(scene.conn), "pull").done_per_minute == pytest.approx(200 / 2 * 60)


def test_the_jobs_of_the_chosen_or_busiest_task_wait_in_the_order_of_claims(scene: Scene, worker: UUID) -> None:
    idle = panes.read(scene.conn)
    assert idle.waiting_of == idle.tasks[0].task
    scene.add(idle.tasks[-1].task, 3)
    scene.add(idle.tasks[0].task)
    assert panes.read(scene.conn).waiting_of == idle.tasks[-1].task
    first, second = scene.add("plain", 2)
    scene.later(1)
    (urgent,) = scene.add("plain", options='{"priority": 9}')
    (later,) = scene.add("plain", options='{"delay": 60}')
    expected = [urgent, first, second, later]
    read = panes.read(scene.conn, "plain")
    assert (read.waiting_of, [one.id for one in read.waiting]) == ("plain", expected)
    assert [claim["message_id"] for claim in scene.claim(worker, 9, ["plain"])] == expected[:3]


def test_a_feed_says_why_it_cannot_read_and_comes_back(scene: Scene, database: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.top.app._AGAIN", 0.3)
    scene.use(TASKS, TOP)
    with closing(top_app.Feed(database)) as feed:
        eventually(lambda: feed.newest)
        with monkeypatch.context() as patch:
            patch.setattr(top_app, "read", lambda *_: dict[str, int]()["a column"])
            assert eventually(lambda: feed.trouble) == "could not be read: KeyError: 'a column'"
        eventually(lambda: not feed.trouble)
        ours = "application_name = 'zeke-jobs top' AND datname = current_database()"
        scene.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
        assert "the database is unreachable" in eventually(lambda: feed.trouble)
        eventually(lambda: not feed.trouble)


def test_one_picture_needs_no_terminal_and_keys_run_commands(scene: Scene, cli: Cli, database: str) -> None:
    scene.use(TASKS, TOP)
    scene.add("plain", 2)
    assert "1 tasks" in cli("top", "--once").out
    cli("top").says("expected a terminal, got none", status=2)
    (job,) = scene.add("plain")
    assert top_app.perform(database, Command("pause", "task/plain")) == "task/plain is paused"
    (pause,) = actions.paused(scene.conn)
    assert (pause.target, pause.reason, "@" in pause.paused_by) == ("task/plain", "from top", True)
    for command, said in (
        (Command("pause", "task/plain"), "task/plain was paused already"),
        (Command("resume", "task/plain"), "task/plain is resumed"),
        (Command("cancel", str(job)), f"{job}: cancelled before it started"),
        (Command("retry", str(job)), "queued again, with a fresh retry limit"),
        (Command("pause", "task/nope"), "expected task/NAME"),
    ):
        assert said in top_app.perform(database, command)
    assert actions.paused(scene.conn) == []
    assert "cancel" in top_app.perform("postgresql://127.0.0.1:1/none", Command("cancel", str(job)))
