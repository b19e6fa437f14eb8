"""The stopped clock of a test database."""

from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection

from zeke_jobs.testing import release_clock, set_clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_released_clock_is_the_function_that_migrate_makes(conn: Connection) -> None:
    def shown(sql: str) -> object:
        with conn.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()[0][0]

    made = shown("SELECT prolang::text || prosrc FROM pg_proc WHERE oid = 'zeke_jobs.now()'::regprocedure")
    set_clock(conn, NOON)
    assert shown("SELECT zeke_jobs.now()") == NOON
    release_clock(conn)
    assert shown("SELECT prolang::text || prosrc FROM pg_proc WHERE oid = 'zeke_jobs.now()'::regprocedure") == made
    assert shown("SELECT zeke_jobs.now() > now()") is True
