"""A database in which the tests set the time."""

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.scheduler.world import World


@pytest.fixture
def world(conn: Connection) -> World:
    return World(conn)
