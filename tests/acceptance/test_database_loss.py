"""Postgres goes away and comes back, under load."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.handlers import TABLES
from tests.conftest import PIPELINE, server_binaries
from tests.fleet import Fleet, eventually, scalar
from zeke_jobs.postgres import embedded, migrate
from zeke_jobs.postgres.pool import connect

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

TASKS = """
    version: 1
    tasks:
      effect: {handler: "H:effect", concurrency: 6, retry: {limit: 5, delay: 100ms}}
"""
OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server of the test's own, to be stopped and started."""
    folder = Path(tempfile.mkdtemp(prefix="zeke-loss-"))
    url = embedded.ensure(folder, bin_dir=server_binaries())
    monkeypatch.setenv("DATABASE_URL", url)
    with closing(connect(url)) as conn:
        migrate.migrate(conn, PIPELINE)
        conn.cursor().execute(TABLES)
    yield folder
    embedded.stop(folder, mode="immediate")
    shutil.rmtree(folder)


@pytest.fixture
def own(server: Path, tmp_path: Path) -> Iterator[Fleet]:
    """A fleet on that server."""
    fleet = Fleet(tmp_path, os.environ["DATABASE_URL"], environment={"ZEKE_JOBS_HEARTBEAT": "1"})
    fleet.configure(TASKS)
    yield fleet
    fleet.stop()


def loaded(fleet: Fleet, count: int) -> None:
    """Two worker commands, busy with so many jobs of 50 ms."""
    fleet.workers(threads=4), fleet.workers(threads=4)
    with closing(connect(fleet.database)) as conn:
        fleet.ready(conn, 2)
        zeke_jobs.send_many("effect", [{"n": n, "seconds": 0.05} for n in range(count)])
        eventually(lambda: scalar(conn, "SELECT count(*) FROM effect") >= 20, fleet=fleet)


def all_done(fleet: Fleet, conn: Connection, count: int) -> None:
    eventually(lambda: scalar(conn, OPEN) == 0, 60, fleet)
    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done'") == count
    assert scalar(conn, "SELECT count(*) FROM effect") == count
    assert all(command.process.poll() is None for command in fleet.commands), fleet.logs()


def test_after_a_crash_of_postgres_workers_go_on_and_nothing_is_lost_or_twice(own: Fleet, server: Path) -> None:
    loaded(own, 600)
    embedded.stop(server, mode="immediate")
    time.sleep(3)  # the outage itself
    embedded.ensure(server, bin_dir=server_binaries())
    with closing(connect(own.database)) as conn:
        done = scalar(conn, "SELECT count(*) FROM effect")
        began = time.monotonic()
        eventually(lambda: scalar(conn, "SELECT count(*) FROM effect") > done, fleet=own)
        assert time.monotonic() - began < 10
        all_done(own, conn, 600)
