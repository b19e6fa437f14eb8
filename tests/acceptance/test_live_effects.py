"""Each setting that an operator can change takes effect in a running fleet with the next job; each test has its own task."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import zeke_jobs
from tests.fleet import HANDLERS, Fleet, eventually, scalar
from zeke_jobs.postgres.pool import connect
from zeke_jobs.worker.life import retention

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

FILE = """
version: 1
services:
  web: {use: "H:Address", url: http://old}
limits:
  lane: {concurrency: 1}
tasks:
  left: {handler: "H:work", uses: [lane]}
  right: {handler: "H:work", uses: [lane], priority: 0}
  held: {handler: "H:work", paused: false}
  kept: {handler: "H:work", keep: {completed: 7d}}
  slow: {handler: "H:query", timeout: 5m, retry: {limit: 0}}
  failing: {handler: "H:fail", retry: {limit: 1, delay: 10ms}}
  asking: {handler: "H:ask"}
  score: {handler: "H:list_words", settings: {words: [one, two]}}
  counted: {handler: "H:work", rate: 100/s}
  morning: {handler: "H:work", cron: {at: "* 9 * * *", timezone: UTC}}
""".replace("H:", f"{HANDLERS}:")
#: Makes the database's clock run so many seconds ahead.
AHEAD = """
  CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT clock_timestamp() + interval '{seconds} seconds' $$
"""


MORNINGS = "SELECT count(*) FROM zeke_jobs.queue WHERE task = 'morning' AND state = 'done'"


class Live:
    """One worker and one scheduler that are never restarted, and the file that they follow."""

    def __init__(self, fleet: Fleet, conn: Connection) -> None:
        self.fleet = fleet
        self.conn = conn
        self.text = FILE
        fleet.configure(FILE)
        self.commands = [fleet.workers(processes=1, threads=4), fleet.scheduler()]
        fleet.ready(conn, 1)
        eventually(lambda: scalar(conn, "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'scheduler'"), fleet=fleet)
        # First of all: its test waits for the scheduler's next beat, while the others run.
        assert scalar(conn, MORNINGS) == 0
        self.turn("timezone: UTC", "timezone: Asia/Tokyo")

    def turn(self, old: str, new: str) -> None:
        """Edit the file and apply it."""
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)
        self.fleet.configure(self.text)
        self.fleet.zeke("apply", "-m", f"{old} → {new}")

    def output(self, task: str, **payload: Any) -> Any:
        return zeke_jobs.wait(zeke_jobs.send(task, payload).id, timeout=60)

    def ended(self, job: UUID) -> zeke_jobs.Job:
        eventually(lambda: zeke_jobs.status(job).has_ended, 60, self.fleet)
        return zeke_jobs.status(job)


@pytest.fixture(scope="module")
def live(module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    fleet = Fleet(tmp_path_factory.mktemp("live"), module_database)
    with pytest.MonkeyPatch.context() as patch, closing(connect(module_database)) as conn:
        patch.setenv("DATABASE_URL", module_database)
        with conn.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE trace (job uuid, what text, at timestamptz NOT NULL DEFAULT clock_timestamp())"
            )
            # Some minutes past nine in Tokyo, and 25 seconds before the next one.
            cursor.execute("SELECT extract(epoch FROM date_trunc('day', now()) + '1 day 4 min 35 s' - now())::integer")
            (seconds,) = cursor.fetchone() or (0,)
            cursor.execute(AHEAD.format(seconds=seconds))
        try:
            yield Live(fleet, conn)
        finally:
            fleet.stop()


@pytest.fixture(autouse=True)
def nothing_restarts(live: Live) -> Iterator[None]:
    yield
    assert [command.process.poll() for command in live.commands] == [None, None]


def test_a_keyword_list_is_seen_in_a_job_within_two_seconds(live: Live) -> None:
    assert live.output("score") == ["one", "two"]
    live.turn("[one, two]", "[two, three]")
    end = time.monotonic() + 60
    while live.output("score") != ["two", "three"]:
        assert time.monotonic() < end
    seen = scalar(
        live.conn,
        "SELECT extract(epoch FROM min(q.started_on) - max(r.applied_on))::float FROM zeke_jobs.queue AS q"
        " CROSS JOIN zeke_jobs.revision AS r WHERE q.task = 'score' AND q.result = '[\"two\", \"three\"]'",
    )
    assert 0 < seen < 2


def test_a_service_is_opened_anew_with_its_new_settings(live: Live) -> None:
    assert live.output("asking") == "http://old"
    live.turn("http://old", "http://new")
    assert live.output("asking") == "http://new"


def test_a_new_timeout_ends_the_next_job(live: Live) -> None:
    live.turn("timeout: 5m", "timeout: 300ms")
    job = live.ended(zeke_jobs.send("slow").id)
    assert (job.status, job.attempts[-1]["error"]["message"]) == ("failed", "it ran longer than its timeout of 0.3 s")


def test_a_new_retry_policy_holds_for_the_next_failure(live: Live) -> None:
    assert len(live.ended(zeke_jobs.send("failing").id).attempts) == 2
    live.turn("{limit: 1, delay: 10ms}", "{limit: 3, delay: 5ms}")
    assert len(live.ended(zeke_jobs.send("failing").id).attempts) == 4


def test_a_task_that_the_file_pauses_starts_nothing_and_goes_on_where_it_ends(live: Live) -> None:
    live.turn("paused: false", "paused: true")
    held = zeke_jobs.send("held").id
    for n in range(5):  # what was sent later passes it by
        live.output("asking", n=n)
    assert zeke_jobs.status(held).status == "created"
    live.turn("paused: true", "paused: false")
    assert live.ended(held).status == "completed"


def test_queued_jobs_of_a_task_with_a_new_priority_start_first(live: Live) -> None:
    live.fleet.zeke("pause", "limit/lane", "--reason", "so that both wait")
    waiting = {"left": zeke_jobs.send("left").id, "right": zeke_jobs.send("right").id}
    live.turn("priority: 0", "priority: 5")
    live.fleet.zeke("resume", "limit/lane")
    ended = {task: live.ended(job) for task, job in waiting.items()}
    assert ended["right"].started_on < ended["left"].started_on  # type: ignore[operator] # both have started


def test_a_new_rate_holds_for_the_next_job(live: Live) -> None:
    live.output("counted")
    live.turn("rate: 100/s", "rate: 1/h")  # which the job just now has used up
    held = zeke_jobs.send("counted").id
    for n in range(5):
        live.output("asking", n=n)
    assert zeke_jobs.status(held).status == "created"


def test_a_new_time_to_keep_holds_for_the_next_purge(live: Live) -> None:
    job = zeke_jobs.send("kept").id
    live.ended(job)
    retention.purge(live.conn)
    assert zeke_jobs.status(job).status == "completed"
    live.turn("{completed: 7d}", "{completed: 1ms}")
    retention.purge(live.conn)
    with pytest.raises(zeke_jobs.errors.JobPurged):
        zeke_jobs.status(job)


def test_a_new_zone_of_a_cron_is_seen_in_the_next_tick(live: Live) -> None:
    shown = {one["task"]: one for one in json.loads(live.fleet.zeke("schedule", "--json"))}
    assert shown["morning"]["timezone"] == "Asia/Tokyo"
    eventually(lambda: scalar(live.conn, MORNINGS), 100, live.fleet)
    tick = scalar(live.conn, "SELECT min(scheduled_for) FROM zeke_jobs.queue WHERE task = 'morning'")
    assert tick.hour == 0  # midnight in UTC, which was its zone until then, is nine in Tokyo
