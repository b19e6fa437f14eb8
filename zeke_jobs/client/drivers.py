"""Runs the database queries of client calls with blocking drivers, on the caller's connection or the process's pool."""

import os
from collections.abc import Mapping
from functools import partial
from threading import Lock
from typing import Any

from zeke_jobs.client.plans import Database, P, Plan, Rows, T, named
from zeke_jobs.core import environment
from zeke_jobs.postgres.pool import DISCONNECTED, Cursor, Pool
from zeke_jobs.postgres.queries import SQL, tolerate

#: Maximum number of connections for a process's sends and queries. They open on demand; if all are in use, calls wait.
_POOL_SIZE = 8

#: This database replaces every connection in tests of programs that send jobs (``zeke_jobs.testing.sends``).
stand_in: Database | None = None


def perform(connection: Any, plan: Plan[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run a plan on the caller's connection or, if the caller gives none, on the process's pool.

    The caller's transaction is used and not committed. On the pool, each statement is one transaction, and runs once
    more if the connection is dead, so every statement must be safe to repeat. Raises TypeError if the connection is of
    an unknown kind, and ConfigurationError if there is neither a connection nor ``DATABASE_URL``.
    """
    own = None if connection is None else foreign(connection)
    return (stand_in or own or own_database()).run(plan, *args, **options)


def foreign(connection: Any) -> Database:
    """Return a ``Database`` that runs statements on a caller's connection."""
    kinds = {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}
    name = type(connection).__name__
    if name.startswith(("Async", "async_")):
        raise TypeError(
            f"expected a synchronous connection, got {name}; there is: await zeke_jobs.aio.send(…, connection=connection)"
        )
    if "sqlalchemy" in kinds:
        return _sqlalchemy(connection)
    if "psycopg" in kinds:
        from psycopg.rows import tuple_row

        as_tuples: dict[str, Any] = {"row_factory": tuple_row}
    elif "psycopg2" in kinds:
        as_tuples = {"cursor_factory": Cursor}
    else:
        raise TypeError(
            f"expected a connection of psycopg2, psycopg 3 or SQLAlchemy, got {type(connection).__module__}.{name}; "
            "for other drivers there is zeke_jobs.statement()"
        )
    return Database(place(connection), lambda name, params: _execute(connection.cursor(**as_tuples), name, params))


def place(connection: Any) -> tuple[Any, ...]:
    """Return the host, port and database of a psycopg2 or psycopg 3 connection."""
    return connection.info.host, connection.info.port, connection.info.dbname


def _execute(cursor: Any, name: str, params: Mapping[str, Any]) -> Rows:
    with cursor:
        if isinstance(cursor, Cursor):
            tolerate(cursor)
        SQL.execute(cursor, name, params)
        rows: Rows = cursor.fetchall()
        return rows


def _sqlalchemy(connection: Any) -> Database:
    from sqlalchemy import text

    bind = connection.get_bind() if hasattr(connection, "get_bind") else connection
    url = bind.engine.url

    def execute(name: str, params: Mapping[str, Any]) -> Rows:
        return [tuple(row) for row in connection.execute(text(named(SQL.text(name))), dict(params))]

    return Database((url.host or url.query.get("host"), url.port, url.database), execute)


_lock = Lock()
_own: tuple[Database, Pool] | None = None
_inherited: tuple[Database, Pool] | None = None


def own_database() -> Database:
    """Return the process's own pool. After a fork, or if ``DATABASE_URL`` has changed, this is a new pool."""
    global _own  # noqa: PLW0603 (one pool for the process)
    url = environment.database_url()
    with _lock:
        if _own is None or _own[0].identity != url:
            if _own is not None:
                _own[1].close()
            pool = Pool(url, max_size=_POOL_SIZE, application_name="zeke-jobs client")
            _own = Database(url, partial(_on_pool, pool)), pool
        return _own[0]


def _on_pool(pool: Pool, name: str, params: Mapping[str, Any]) -> Rows:
    try:
        return _once(pool, name, params)
    except DISCONNECTED:
        pool.drop_idle()
        return _once(pool, name, params)


def _once(pool: Pool, name: str, params: Mapping[str, Any]) -> Rows:
    conn = pool.take()
    try:
        return _execute(conn.cursor(), name, params)
    finally:
        pool.give_back(conn)


def _forget() -> None:
    # Forget the pool in a forked child, because closing its connections there would end the parent process's sessions.
    global _lock, _own, _inherited
    _lock, _own, _inherited = Lock(), None, _own


os.register_at_fork(after_in_child=_forget)
