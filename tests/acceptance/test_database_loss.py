"""Postgres goes away and comes back, under load."""

import time
from contextlib import closing
from pathlib import Path

import pytest

import zeke_jobs
from tests.acceptance.conftest import OwnServer
from tests.acceptance.handlers import TABLES
from tests.acceptance.test_workers import OPEN
from tests.conftest import PIPELINE
from tests.fleet import eventually, fleet, scalar
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

TASKS = "effect: {handler: 'H:effect', concurrency: 6, retry: {limit: 5, delay: 100ms}}"
EFFECTS = "SELECT count(*) FROM effect"


def test_after_a_crash_of_postgres_workers_go_on_and_nothing_is_lost_or_twice(
    own_server: OwnServer, tmp_path: Path
) -> None:
    with fleet(tmp_path, own_server.url, ZEKE_JOBS_HEARTBEAT="1") as own:
        with closing(connect(own_server.url)) as conn:
            migrate.migrate(conn, PIPELINE)
            conn.cursor().execute(TABLES)
            own.serve(TASKS, conn, commands=2)
            zeke_jobs.send_many("effect", [{"n": n, "seconds": 0.05} for n in range(600)])
            eventually(lambda: scalar(conn, EFFECTS) >= 20, fleet=own)
        own_server.crash()
        time.sleep(3)  # the outage itself
        own_server.start()
        with closing(connect(own_server.url)) as conn:
            done = scalar(conn, EFFECTS)
            began = time.monotonic()
            eventually(lambda: scalar(conn, EFFECTS) > done, fleet=own)
            assert time.monotonic() - began < 10
            eventually(lambda: scalar(conn, OPEN) == 0, 60, own)
            assert scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done'") == 600
            assert scalar(conn, EFFECTS) == 600
        own.check()
