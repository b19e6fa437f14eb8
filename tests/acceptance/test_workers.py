"""The real commands run on a real Postgres."""

import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import dramatiq
import dramatiq_pg
import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import wait_select

import zeke_jobs
from tests.acceptance.conftest import OwnServer
from tests.acceptance.handlers import TABLES
from tests.conftest import PIPELINE
from tests.each import cases
from tests.fleet import Fleet, eventually, fleet as running, query, scalar
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

DONE = "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done'"
OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
OVERLAP = """
  SELECT max(active) FROM (
    SELECT sum(step) OVER (ORDER BY at, step) AS active
    FROM (SELECT at, CASE what WHEN 'start' THEN 1 ELSE -1 END AS step FROM trace) AS steps
  ) AS sums
"""


def test_a_limit_holds_over_two_commands_and_every_job_runs_once(fleet: Fleet, effects: Connection) -> None:
    tasks = "work: {handler: 'H:work', concurrency: 3}\ntick: {handler: 'H:work', cron: '* * * * *'}"
    fleet.serve(tasks, effects, processes=2)
    fleet.workers(), (scheduler := fleet.scheduler())
    fleet.ready(effects, 3)
    zeke_jobs.send_many("work", [{"n": n, "seconds": 0.005} for n in range(500)])
    eventually(lambda: scalar(effects, OPEN) == 0, 90, fleet)
    assert scalar(effects, f"{DONE} AND task = 'work'") == 500
    starts = "SELECT count(*), count(DISTINCT t.job) FROM trace t JOIN zeke_jobs.queue q ON q.message_id = t.job WHERE q.task = 'work' AND t.what = 'start'"
    assert query(effects, starts) == [(500, 500)]
    query(effects, "DELETE FROM trace t USING zeke_jobs.queue q WHERE q.message_id = t.job AND q.task <> 'work'")
    assert scalar(effects, OVERLAP) == 3
    assert scheduler.process.poll() is None


def test_jobs_of_a_killed_command_complete_elsewhere_with_one_effect(fleet: Fleet, effects: Connection) -> None:
    # The queue's name is longer than the name of a channel in Postgres may be.
    tasks = f"effect: {{handler: 'H:effect', queue: {'q' * 100}, retry: {{delay: 10ms}}}}"
    doomed = fleet.serve(tasks, effects, commands=2)
    zeke_jobs.send_many("effect", [{"n": n, "seconds": 0.1} for n in range(100)])
    eventually(lambda: scalar(effects, "SELECT count(*) FROM effect") >= 20, fleet=fleet)
    doomed.kill()
    eventually(lambda: scalar(effects, OPEN) == 0, 60, fleet)
    assert (scalar(effects, DONE), scalar(effects, "SELECT count(*) FROM effect")) == (100, 100)
    assert scalar(effects, "SELECT count(*) FROM zeke_jobs.queue WHERE deaths > 0") > 0
    assert scalar(effects, "SELECT count(*) FROM trace WHERE what = 'start'") > 100


@pytest.mark.parametrize(
    ("point", "runs"), [("between send and completion", 2), ("before the commit", 2), ("after the commit", 1)]
)
def test_a_killed_transaction_leaves_all_or_nothing(fleet: Fleet, effects: Connection, point: str, runs: int) -> None:
    command = fleet.serve("fragile: {handler: 'H:fragile'}\nwork: {handler: 'H:work', paused: true}", effects)
    job = zeke_jobs.send("fragile", {"n": 7, "die": point}).id
    eventually(lambda: command.process.poll() is not None, 30, fleet)  # The job has killed its worker process.
    counts = f"""SELECT (SELECT count(*) FROM effect), count(*) FILTER (WHERE parent = '{job}'),
        count(*) FILTER (WHERE message_id = '{job}' AND state = 'done') FROM zeke_jobs.queue"""
    assert query(effects, counts) == [(1, 1, 1) if point == "after the commit" else (0, 0, 0)]
    fleet.workers()
    eventually(lambda: zeke_jobs.status(job).status == "completed", 30, fleet)
    assert query(effects, counts) == [(1, 1, 1)]
    assert scalar(effects, "SELECT attempt FROM zeke_jobs.queue WHERE message_id = %s", str(job)) == runs


def test_a_poison_job_is_quarantined_alone_and_the_innocents_complete(fleet: Fleet, effects: Connection) -> None:
    fleet.serve("poison: {handler: 'H:poison', retry: {limit: 9}}\neffect: {handler: 'H:effect'}", effects, threads=8)
    innocents = zeke_jobs.send_many("effect", [{"n": n, "seconds": 1.0} for n in range(7)])
    eventually(lambda: scalar(effects, "SELECT count(*) FROM trace") == 7, fleet=fleet)
    poison = zeke_jobs.send("poison").id
    end = time.monotonic() + 90
    while scalar(effects, OPEN) and time.monotonic() < end:
        if fleet.commands[-1].process.poll() is not None:
            fleet.workers(threads=8)
        time.sleep(0.2)
    job = zeke_jobs.status(poison)
    deaths = scalar(effects, "SELECT deaths FROM zeke_jobs.queue WHERE message_id = %s", poison)
    assert (job.status, deaths) == ("failed", 3)
    assert len(job.attempts) == 3, "twice beside others, and once alone"
    assert "quarantined" in job.attempts[-1]["error"]["message"]
    assert len(innocents) == scalar(effects, "SELECT count(*) FROM effect") == 7
    assert scalar(effects, "SELECT max(deaths) FROM zeke_jobs.queue WHERE task = 'effect'") <= 2


def test_a_session_that_does_not_read_what_it_claimed_delays_no_other_job(fleet: Fleet, effects: Connection) -> None:
    fleet.configure("work: {handler: 'H:work', concurrency: 3}")
    fleet.zeke("apply")
    zeke_jobs.send_many("work", [{"die": "x" * 800_000}] * 2)
    message = "SELECT message::text FROM zeke_jobs.queue WHERE worker = %s"
    with closing(unread(fleet.database)), closing(unread(fleet.database, message)):
        writes = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
        eventually(lambda: scalar(effects, writes), fleet=fleet)
        fleet.workers()
        fleet.ready(effects, 1)
        for job in zeke_jobs.send_many("work", [{"n": n} for n in range(20)]):
            zeke_jobs.wait(job.id, timeout=10)
        assert scalar(effects, "SELECT max(attempt) FROM zeke_jobs.queue WHERE state = 'done'") == 1


def unread(url: str, then: str = "") -> Connection:
    """Send a claim, or a claim and then the statement ``then``; do not read the answer to the last one."""
    conn, worker = psycopg2.connect(url, async_=1), str(uuid4())
    wait_select(conn)
    cursor = conn.cursor()
    cursor.execute("SELECT * FROM zeke_jobs.claim(%s, 'default', '{work}', 1, NULL, false, 1)", (worker,))
    if then:
        wait_select(conn)
        cursor.execute(then, (worker,))
    return conn


def test_stock_producers_jobs_run_plain_and_delayed(fleet: Fleet, effects: Connection) -> None:
    fleet.serve("work: {handler: 'H:work'}", effects)
    broker = dramatiq_pg.PostgresBroker(url=fleet.database, schema="zeke_jobs", prefix="", results=False)
    stock = dramatiq.actor(lambda **_: None, actor_name="work", broker=broker)
    plain = stock.send(n=1)
    delayed = stock.send_with_options(kwargs={"n": 2}, delay=2_000)
    assert zeke_jobs.wait(plain.message_id, timeout=20) == 1
    assert zeke_jobs.wait(delayed.message_id, timeout=20) == 2
    waited = "SELECT extract(epoch FROM started_on - created_on)::float FROM zeke_jobs.queue WHERE message_id = %s"
    assert 1.8 <= scalar(effects, waited, delayed.message_id) < 4


BROKEN = """
    version: 1
    tasks:
      work: {handler: "H:wrok", concurrencyy: 3}
      other: {handler: "H:work", timeout: 5 parsecs}
"""
FINE = "work: {handler: 'H:work'}"
PLACED = ["jobs.yaml:4:19: error:", "jobs.yaml:4:", "jobs.yaml:5:", "did you mean"]


@cases(
    "command text environment said",
    ("workers", BROKEN, {}, PLACED),
    ("scheduler", BROKEN, {}, PLACED),
    ("scheduler", FINE, {"ZEKE_JOBS_HEARTBEAT": "5s"}, ["expected ZEKE_JOBS_HEARTBEAT"]),
    ("workers", FINE, {"ZEKE_JOBS_ENVIRONMENT": "staging"}, ["'staging', got the database of 'production'"]),
)
def test_a_broken_file_stops_the_command_with_every_error_placed(
    fleet: Fleet, conn: Connection, command: str, text: str, environment: dict[str, str], said: list[str]
) -> None:
    """A wrong environment stops the command, too."""
    conn.cursor().execute("UPDATE zeke_jobs.installation SET name = 'production'")
    fleet.configure(text)
    started = getattr(fleet, command)(**environment)
    assert started.wait() == 2
    assert [one for one in said if one not in started.text()] == []
    assert "Traceback" not in started.text()
    for table in ("revision", "task", "worker"):
        assert scalar(conn, f"SELECT count(*) FROM zeke_jobs.{table}") == 0


def test_sigterm_lets_running_jobs_finish_and_hands_the_rest_back(fleet: Fleet, effects: Connection) -> None:
    worker = fleet.serve("work: {handler: 'H:work'}", effects, threads=2)
    zeke_jobs.send_many("work", [{"n": n, "seconds": 1.0} for n in range(10)])
    eventually(lambda: scalar(effects, "SELECT count(*) FROM trace") == 2, fleet=fleet)
    assert worker.stop() == 0
    counts = """SELECT count(*) FILTER (WHERE state = 'consumed'), count(*) FILTER (WHERE state = 'done'), sum(attempt),
        (SELECT count(*) FROM zeke_jobs.worker) FROM zeke_jobs.queue"""
    assert query(effects, counts) == [(0, 2, 2, 0)]


def test_after_a_crash_of_postgres_workers_go_on_and_nothing_is_lost_or_twice(
    own_server: OwnServer, tmp_path: Path
) -> None:
    effects = "SELECT count(*) FROM effect"
    with running(tmp_path, own_server.url, ZEKE_JOBS_HEARTBEAT="1") as own:
        with closing(connect(own_server.url)) as conn:
            migrate.migrate(conn, PIPELINE)
            conn.cursor().execute(TABLES)
            tasks = "effect: {handler: 'H:effect', concurrency: 6, retry: {limit: 5, delay: 100ms}}"
            own.serve(tasks, conn, commands=2)
            zeke_jobs.send_many("effect", [{"n": n, "seconds": 0.05} for n in range(600)])
            eventually(lambda: scalar(conn, effects) >= 20, fleet=own)
        own_server.crash()
        time.sleep(3)  # The server is down for three seconds.
        own_server.start()
        with closing(connect(own_server.url)) as conn:
            done = scalar(conn, effects)
            began = time.monotonic()
            eventually(lambda: scalar(conn, effects) > done, fleet=own)
            assert time.monotonic() - began < 10
            eventually(lambda: scalar(conn, OPEN) == 0, 60, own)
            assert (scalar(conn, DONE), scalar(conn, effects)) == (600, 600)
        own.check()
