"""The stopped clock of a test database."""

from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection

from tests.fleet import scalar
from zeke_jobs.testing import release_clock, set_clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BODY = "SELECT prolang::text || prosrc FROM pg_proc WHERE oid = 'zeke_jobs.now()'::regprocedure"


def test_a_released_clock_is_the_function_that_migrate_makes(conn: Connection) -> None:
    made = scalar(conn, BODY)
    set_clock(conn, NOON)
    assert scalar(conn, "SELECT zeke_jobs.now()") == NOON
    release_clock(conn)
    assert scalar(conn, BODY) == made
    assert scalar(conn, "SELECT zeke_jobs.now() > now()") is True
