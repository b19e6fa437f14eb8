"""These fixtures make a database with the four roles, and logins that are members of the roles."""

from collections.abc import Callable

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.postgres.members import TASKS, as_member, sign_up
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.revisions import applying


@pytest.fixture
def granted(conn: Connection, database: str) -> str:
    """Make a database with tasks and the four roles."""
    applying.sync(conn, load(TASKS))
    sign_up(conn)
    return database


@pytest.fixture
def log_in(granted: str, monkeypatch: Patch) -> Callable[[str], str]:
    """From now on, connect as a member of this role; return the URL."""

    def become(role: str) -> str:
        url = as_member(granted, role)
        monkeypatch.setenv("DATABASE_URL", url)
        return url

    return become
