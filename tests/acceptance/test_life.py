"""The real commands start and stop: SIGTERM also ends a command that waits, and no command leaves a process behind."""

import signal
import time
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.handlers import HOW
from tests.fleet import Command, Fleet, eventually, is_at_work, query, scalar
from tests.lab.chaos.proxy import Proxy

ONE = "work: {handler: 'H:work'}"
NOWHERE = "postgresql://zeke@127.0.0.1:1/zeke"


@pytest.fixture
def lock(other_conn: Connection) -> Iterator[Connection]:
    """Lock the tables of revisions and tasks, as a long ALTER TABLE would do."""
    query(other_conn, "BEGIN; LOCK TABLE zeke_jobs.revision, zeke_jobs.task IN ACCESS EXCLUSIVE MODE")
    yield other_conn
    query(other_conn, "ROLLBACK")


def took(command: Command) -> float:
    """Send SIGTERM; return the seconds until the process has ended with status 0."""
    began = time.monotonic()
    assert command.stop(60) == 0, command.text()
    return time.monotonic() - began


@pytest.mark.parametrize("delay", [0.5, 4.0])
def test_sigterm_at_any_moment_of_a_start_ends_the_command(fleet: Fleet, delay: float) -> None:
    fleet.configure(ONE)
    with Proxy(fleet.database) as silent:
        silent.stalled.set()
        for url in (fleet.database, NOWHERE, silent.url):
            fleet.workers(DATABASE_URL=url, processes=2), fleet.scheduler(DATABASE_URL=url)
        time.sleep(delay)
        if delay == 4.0:  # Both processes say at once what they wait for.
            eventually(lambda: fleet.commands[2].text().count("waiting for the database") >= 2, 15, fleet)
            assert "ready" not in fleet.commands[2].text()
        # If a signal arrives before its handler is installed, it kills the process.
        assert {command.stop(30) for command in fleet.commands} <= {0, -signal.SIGTERM}, fleet.logs()


def test_workers_that_waited_for_the_database_are_refused_with_status_2(fleet: Fleet, lock: Connection) -> None:
    fleet.configure(ONE)
    query(lock, "DELETE FROM zeke_jobs.migration WHERE name LIKE 'code-%'")
    query(lock, "LOCK TABLE zeke_jobs.migration IN ACCESS EXCLUSIVE MODE")
    started = fleet.workers()
    eventually(lambda: "is booting up" in started.text(), fleet=fleet)  # dramatiq has continued.
    assert "ready" not in started.text()
    query(lock, "COMMIT")
    assert started.wait() == 2
    assert "run: zeke-jobs migrate" in started.text()


@pytest.mark.usefixtures("lock")
def test_sigterm_ends_what_waits_for_a_lock_at_its_start(fleet: Fleet, conn: Connection) -> None:
    fleet.configure(ONE)
    started = fleet.workers()
    waits = """SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND application_name LIKE 'zeke-jobs%%' AND datname = current_database()"""
    eventually(lambda: scalar(conn, waits), 30, fleet)
    assert took(started) < 10


TASKS = """
  fork: {handler: 'H:fork'}
  come-back: {handler: 'H:come_back'}
  once: {handler: 'H:work', retry: {limit: 0}}
  again: {handler: 'H:work', retry: {limit: 1}}
"""


def test_a_stop_ends_the_command_and_all_that_a_handler_started(fleet: Fleet, effects: Connection) -> None:
    worker = fleet.serve(TASKS, effects, "--worker-shutdown-timeout", "500", threads=len(HOW) + 2)
    # The handler forks a child, which also returns from the handler and then ends with status 0.
    assert zeke_jobs.wait(zeke_jobs.send("come-back").id, timeout=20) == 7
    forks = [zeke_jobs.send("fork", {"how": how}).id for how in HOW]
    once, again = (zeke_jobs.send(task, {"seconds": 300}).id for task in ("once", "again"))
    files = {how: fleet.folder / how for how in HOW}
    eventually(lambda: all(file.exists() and file.read_text() for file in files.values()), fleet=fleet)
    eventually(lambda: scalar(effects, "SELECT count(*) FROM trace") == 2, fleet=fleet)
    waiting = zeke_jobs.send("once").id
    children = {how: int(file.read_text()) for how, file in files.items()}
    assert took(worker) < 20
    # A killed process still exists for a moment.
    eventually(lambda: not [how for how, pid in children.items() if is_at_work(pid)], timeout=2, fleet=fleet)
    # Only the running job of the task without retries fails; the others wait, and the stop costs them no attempt.
    ended = zeke_jobs.status(once)
    why = "the worker stopped before the job had ended; no retries allowed"
    assert (ended.status, ended.attempts[-1]["reason"]) == ("failed", why)
    left = [zeke_jobs.status(job) for job in (*forks, again, waiting)]
    assert [(job.status, len(job.attempts)) for job in left] == [("created", 0)] * len(left)
    assert scalar(effects, "SELECT count(*) FROM zeke_jobs.worker") == 0


def test_a_stop_waits_for_nothing_that_a_claim_waits_for(fleet: Fleet, conn: Connection) -> None:
    fleet.configure(ONE)
    with Proxy(fleet.database) as silent:
        for url in (fleet.database, silent.url):
            fleet.workers("--worker-shutdown-timeout", "60000", DATABASE_URL=url)
        fleet.ready(conn, 2)
        silent.stalled.set()
        query(conn, "BEGIN; LOCK TABLE zeke_jobs.queue IN ACCESS EXCLUSIVE MODE")
        time.sleep(3)  # The next claims wait now, for a lock and for a silent server.
        for worker in fleet.commands:
            worker.process.terminate()
        assert [worker.wait(25) for worker in fleet.commands] == [0, 0], fleet.logs()
        query(conn, "ROLLBACK")
