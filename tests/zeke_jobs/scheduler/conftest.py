"""A fixture makes a database whose clock the tests set."""

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.scheduler.world import World


@pytest.fixture
def world(conn: Connection) -> World:
    return World(conn)
