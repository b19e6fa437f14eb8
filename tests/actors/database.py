"""One statement on a test's connection."""

from typing import Any

from psycopg2.extensions import connection as Connection


def execute(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    """Run a statement; its rows, if it has any."""
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description is not None else []
