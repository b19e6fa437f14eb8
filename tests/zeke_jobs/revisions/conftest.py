"""A fixture puts a revision in force and adds jobs."""

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import query
from tests.zeke_jobs.revisions.world import load
from zeke_jobs.config import Config
from zeke_jobs.revisions import applying


@pytest.fixture
def base(conn: Connection) -> Config:
    """Put a revision in force, with three queued jobs and one active job of ``analyze``."""
    config = load()
    applying.sync(conn, config)
    zeke_jobs.send_many("analyze", [{"n": n} for n in range(4)])
    query(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message #>> '{kwargs,n}' = '0'")
    return config
