"""One statement on a test's connection, and what a look reads."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import transaction

T = TypeVar("T")
_READ = """SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
  WHERE schemaname = 'public' AND relname = ANY (%s)"""


def execute(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Run a statement; its rows, if it has any."""
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description is not None else []


def rows_read(conn: Connection, tables: Sequence[str], look: Callable[[], T]) -> tuple[T, dict[str, int]]:
    """The result of a look, and the number of rows of each table that it reads, by whatever plan."""
    with transaction(conn):
        before = dict(execute(conn, _READ, list(tables)))
        found = look()
        after = dict(execute(conn, _READ, list(tables)))
    return found, {name: after[name] - before[name] for name in tables}
