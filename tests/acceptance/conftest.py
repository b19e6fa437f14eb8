"""Boots the real command lines as processes, on a database of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from tests.fleet import Fleet


@pytest.fixture
def fleet(database: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, database)
    yield fleet
    fleet.stop()


@pytest.fixture
def effects(conn: Connection) -> Connection:
    """Tables that the handlers write to: an effect once per job, and a trace of every start."""
    with conn.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE effect (job uuid PRIMARY KEY, n integer);
            CREATE TABLE trace (job uuid, what text, at timestamptz NOT NULL DEFAULT clock_timestamp())"""
        )
    return conn
