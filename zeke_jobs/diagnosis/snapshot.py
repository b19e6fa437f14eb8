"""One snapshot of the database for several statements."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL


@contextmanager
def snapshot(conn: Connection) -> Iterator[Connection]:
    """All statements of the block see the same moment, write nothing, and use indexes; ``conn`` is autocommit."""
    with transaction(conn), conn.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        SQL.all(conn, "doctor/snapshot")
        yield conn
