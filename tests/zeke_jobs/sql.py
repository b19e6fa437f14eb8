"""Tests run SQL statements with these functions."""

from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import RealDictCursor


def rows(conn: Connection, sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cursor:
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []


def dicts(conn: Connection, sql: str, *params: Any) -> list[dict[str, Any]]:
    with conn.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(sql, params or None)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def value(conn: Connection, sql: str, *params: Any) -> Any:
    found = rows(conn, sql, *params)
    return found[0][0] if found else None


def change(conn: Connection, job: object, changes: str) -> None:
    """Update a job's row directly, without the functions that change states."""
    with conn.cursor() as cursor:
        cursor.execute(f"UPDATE zeke_jobs.queue SET {changes} WHERE message_id = %s", (str(job),))
        assert cursor.rowcount == 1
