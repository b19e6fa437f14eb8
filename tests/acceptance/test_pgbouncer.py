"""The whole system runs through PgBouncer in transaction mode, where two statements may run in different sessions."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.test_workers import DONE, OPEN, OVERLAP
from tests.fleet import Fleet, eventually, launch, open_folder, query, scalar
from zeke_jobs import config
from zeke_jobs.control import actions
from zeke_jobs.core import environment
from zeke_jobs.diagnosis.doctor import examine
from zeke_jobs.diagnosis.why import why
from zeke_jobs.errors import ConfigurationError, JobFailed, MigrationError
from zeke_jobs.postgres import migrate, pool
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.top import panes

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="it is not installed: apt-get install pgbouncer")
TASKS = """
  version: 1
  tasks:
    work: {handler: "H:work", concurrency: 3}
    effect: {handler: "H:effect"}
    query: {handler: "H:query"}
    tick: {handler: "H:work", queue: other, cron: "* * * * *"}
"""


class Bouncer:
    """The test's PgBouncer opens only a few sessions on the server of the test run."""

    def __init__(self, folder: Path, server: str, pool_size: int) -> None:
        self.folder = folder
        host = parse_qs(urlsplit(server).query)["host"][0]
        lines = ["[databases]", f"* = host={host} user=postgres", "[pgbouncer]", "pool_mode = transaction"]
        lines += [f"default_pool_size = {pool_size}", "max_client_conn = 200", "listen_port = 6432"]
        lines += [f"unix_socket_dir = {folder}", "auth_type = any", "admin_users = postgres"]
        if os.geteuid() == 0:  # PgBouncer refuses to run as root, as PostgreSQL does.
            shutil.chown(folder, "nobody")
            lines.append("user = nobody")
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        self.start()

    def start(self) -> None:
        self.process = launch(self.folder / "log", str(PROGRAM), str(self.folder / "pgbouncer.ini"))
        eventually(self.listens, 10)

    def listens(self) -> bool:
        """Say whether PgBouncer accepts connections; the file of its socket exists a moment earlier."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / ".s.PGSQL.6432")) == 0

    def stop(self) -> None:
        self.process.kill()
        (self.folder / ".s.PGSQL.6432").unlink(missing_ok=True)

    def at(self, url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(query=f"host={self.folder}&port=6432"))


@pytest.fixture
def bouncer(server_url: str, request: pytest.FixtureRequest) -> Iterator[Bouncer]:
    """Start a PgBouncer with six sessions, or as many as the test asks for."""
    with open_folder("pgb") as folder:
        made = Bouncer(folder, server_url, getattr(request, "param", 6))
        yield made
        made.stop()


@pytest.fixture
def pooled(bouncer: Bouncer, database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of the test's database through PgBouncer, and set ``DATABASE_URL``."""
    url = bouncer.at(database)
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.fixture
def workers(fleet: Fleet, pooled: str, effects: Connection) -> Fleet:
    fleet.database = pooled
    fleet.serve(TASKS, effects, processes=2)
    return fleet


def test_jobs_run_once_within_their_limit_commit_with_their_writes_and_are_paused_and_cancelled(
    workers: Fleet, conn: Connection, pooled: str
) -> None:
    zeke_jobs.send_many("work", [{"n": n, "seconds": 0.005} for n in range(200)])
    eventually(lambda: scalar(conn, OPEN) == 0, 90, workers)
    assert scalar(conn, "SELECT count(DISTINCT job) FROM trace WHERE what = 'end'") == 200
    assert scalar(conn, "SELECT count(*) FROM trace") == 400
    assert scalar(conn, OVERLAP) == 3
    assert zeke_jobs.wait(zeke_jobs.send("work", {"n": 7}).id, timeout=10) == 7
    assert "no notifications through a pooler" in workers.logs()
    hearing = scalar(conn, "SELECT count(*) FROM zeke_jobs.worker WHERE idle <> '{}'")
    assert hearing == 0, "nobody hears, so nobody must notify"
    for n in range(20):
        zeke_jobs.send("effect", {"n": n, "seconds": 0.01})
    eventually(lambda: scalar(conn, OPEN) == 0, 60, workers)
    assert scalar(conn, "SELECT count(*) FROM effect") == 20
    with closing(connect(pooled)) as through:
        actions.pause(through, "task/tick", by="a test")
        paused = zeke_jobs.send("tick")
        for n in range(3):  # Jobs that are sent later run first.
            zeke_jobs.wait(zeke_jobs.send("work", {"n": n}).id, timeout=10)
        assert zeke_jobs.status(paused.id).status == "created"
        actions.resume(through, "task/tick")
        assert zeke_jobs.wait(paused.id, timeout=10) == 0
    query(conn, "DELETE FROM trace")
    job = zeke_jobs.send("query")
    eventually(lambda: scalar(conn, "SELECT count(*) FROM trace"), 20, workers)
    began = time.monotonic()
    zeke_jobs.cancel(job.id, "not wanted")
    with pytest.raises(JobFailed, match="cancelled"):
        zeke_jobs.wait(job.id, timeout=10)
    assert time.monotonic() - began < 3  # The job ends within two seconds, and the next claim follows within a second.
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(300)' AND state = 'active'"
    assert scalar(conn, running) == 0


def test_workers_outlive_a_restart_of_the_pooler(workers: Fleet, conn: Connection, bouncer: Bouncer) -> None:
    zeke_jobs.send_many("work", [{"n": n, "seconds": 0.05} for n in range(60)])
    eventually(lambda: scalar(conn, "SELECT count(*) FROM trace"), 20, workers)
    bouncer.stop()
    bouncer.start()
    eventually(lambda: scalar(conn, OPEN) == 0, 90, workers)
    assert scalar(conn, DONE) == 60


def test_why_doctor_and_the_board_look_through_the_pooler_and_a_migration_that_needs_a_session_is_refused(
    fleet: Fleet, pooled: str, conn: Connection
) -> None:
    applying.sync(conn, config.load(fleet.configure(TASKS)))
    job = zeke_jobs.send("work").id
    with closing(connect(pooled)) as through:
        assert [reason.kind for reason in why(through, job).reasons] == ["unserved"]
        assert [one.id for one in panes.read(through, "work").waiting] == [job]
        assert shown(through, "enable_seqscan") == "on"
        concurrent = migrate.Migration("zeke_jobs", "9999_index.sql", "SELECT 1", in_transaction=False, breaking=False)
        with pytest.raises(MigrationError, match="run zeke-jobs migrate with the server's own address"):
            migrate._apply(through, concurrent)
    report = examine(pooled)
    assert "unserved" in {one.id for one in report.findings}
    assert not report.skipped


def test_a_pooler_is_recognised_and_listening_can_be_forced_and_forbidden(
    pooled: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connect(pooled)) as through:
        assert (pool.is_pooled(through), pool.is_pooled(conn)) == (True, False)
        assert (pool.can_listen(through), pool.can_listen(conn)) == (False, True)
        monkeypatch.setenv(environment.LISTEN, "on")
        assert (pool.can_listen(through), pool.can_listen(conn)) == (True, True)
        monkeypatch.setenv(environment.LISTEN, "off")
        assert (pool.can_listen(through), pool.can_listen(conn)) == (False, False)


def shown(conn: Connection, setting: str) -> Any:
    return scalar(conn, f"SHOW {setting}")


@pytest.mark.parametrize("bouncer", [1], indirect=True)  # All clients share one session.
def test_our_settings_follow_us_alone_in_a_shared_session(bouncer: Bouncer, database: str, conn: Connection) -> None:
    conn.cursor().execute(f"ALTER DATABASE {urlsplit(database).path[1:]} SET timezone TO 'America/New_York'")
    url = bouncer.at(database)
    with closing(connect(url)) as ours, closing(psycopg2.connect(url)) as theirs:
        theirs.autocommit = True
        theirs.cursor().execute("SET timezone TO 'Asia/Tokyo'")
        for _ in range(2):
            assert (shown(ours, "timezone"), shown(theirs, "timezone")) == ("UTC", "Asia/Tokyo")


@pytest.mark.parametrize("bouncer", [1], indirect=True)  # All clients share one session.
def test_we_leave_nothing_in_sessions_that_others_use_next(bouncer: Bouncer, database: str, conn: Connection) -> None:
    name = urlsplit(database).path[1:]
    conn.cursor().execute(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'repeatable read'")
    conn.cursor().execute(f"ALTER DATABASE {name} SET plan_cache_mode TO force_custom_plan")
    url = bouncer.at(database)
    with pytest.raises(ConfigurationError, match=r"to be read committed by default.*got repeatable read"):
        connect(url)
    with closing(psycopg2.connect(url)) as theirs:
        theirs.autocommit = True
        assert shown(theirs, "default_transaction_isolation") == "repeatable read"
    with closing(connect(database)) as direct:
        assert shown(direct, "default_transaction_isolation") == "read committed"
        role = f"ALTER ROLE postgres IN DATABASE {name}"
        conn.cursor().execute(f"{role} SET default_transaction_isolation TO 'read committed'")
    with closing(psycopg2.connect(urlunsplit(urlsplit(url)._replace(path="/pgbouncer")))) as console:
        console.autocommit = True
        query(console, "RECONNECT")
    with closing(connect(url)) as ours:
        assert shown(ours, "transaction_isolation") == "read committed"
    with closing(psycopg2.connect(url)) as theirs, closing(psycopg2.connect(database)) as direct:
        assert shown(theirs, "plan_cache_mode") == shown(direct, "plan_cache_mode") == "force_custom_plan"
