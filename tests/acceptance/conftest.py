"""Boots the real command lines as processes, on a database of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from tests.acceptance.handlers import TABLES
from tests.fleet import Fleet


@pytest.fixture
def fleet(database: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, database)
    yield fleet
    fleet.stop()


@pytest.fixture
def effects(conn: Connection) -> Connection:
    """The tables that the handlers write to."""
    conn.cursor().execute(TABLES)
    return conn
