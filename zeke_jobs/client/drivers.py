"""One way to run a statement, on our own connections and on the callers': psycopg2, psycopg 3, SQLAlchemy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias, TypeVar

from zeke_jobs.core import environment
from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres.pool import DISCONNECTED, Cursor, Pool
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.tolerant import tolerate

_PARAMETER = re.compile(r"%\((\w+)\)s")
#: Unknown schema, table or function.
_NOT_MIGRATED = {"3F000", "42P01", "42883"}
_REFUSED = "22023"
#: Connections for one process's sends and queries, opened on demand; if all are in use, calls wait.
_POOL_SIZE = 8

T = TypeVar("T")

Rows: TypeAlias = list[tuple[Any, ...]]
#: The statements of a call: a generator that yields the name and the parameters of each, and is sent its rows. This module runs
#: it, or ``aio``.
Plan: TypeAlias = Generator[tuple[str, Mapping[str, Any]], Rows, T]
#: A plan for a database, made from a value that identifies the database.
Planned: TypeAlias = Callable[[Hashable], Plan[T]]

#: Takes the place of every connection, in tests of programs that send (``zeke_jobs.testing.sends``).
stand_in: Runner | None = None


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs statements with named parameters, ``%(name)s``, and returns all rows.

    ``database`` identifies the database.
    """

    database: Hashable
    execute: Callable[[str, Mapping[str, Any]], Rows]

    def carry_out(self, planned: Planned[T]) -> T:
        """Run the statements of a plan, and return its result.

        Raises:
            MigrationError: the database lacks the tables or functions.
        """
        plan = planned(self.database)
        try:
            name, params = next(plan)
            while True:
                try:
                    rows = self.execute(SQL.text(name), params)
                except Exception as error:
                    refuse_unmigrated(error)
                    raise
                name, params = plan.send(rows)
        except StopIteration as end:
            found: T = end.value
            return found


def refuse_unmigrated(error: Exception) -> None:
    """Replace the error if its cause is that the database lacks our tables or functions, or that our functions refused a value.

    Raises:
        MigrationError: it lacks them.
        ValueError: they refused a value.
    """
    if sqlstate(error) == _REFUSED:
        raise ValueError(str(getattr(error, "orig", None) or error).partition("\n")[0]) from error
    if sqlstate(error) in _NOT_MIGRATED:
        raise MigrationError(
            "expected a database with the tables of zeke_jobs, got one without; run: zeke-jobs migrate"
        ) from error


def perform(planned: Planned[T], connection: Any = None, *, pool: Pool | None = None) -> T:
    """Run a plan on the caller's connection, in its transaction and without a commit; without one, on a pool.

    On a pool, by default the process's own, each statement commits by itself, and all run once more if the pooled
    connection turns out to be dead, so they must be safe to repeat.

    Raises:
        TypeError: the connection is of an unknown kind.
        ConfigurationError: no connection was given, and ``DATABASE_URL`` is not set.
    """
    own = None if connection is None else foreign(connection)
    if (runner := stand_in or own) is not None:
        return runner.carry_out(planned)
    pool = pool or own_pool()
    try:
        return _perform_on(pool, planned)
    except DISCONNECTED:
        pool.drop_idle()
        return _perform_on(pool, planned)


def _perform_on(pool: Pool, planned: Planned[T]) -> T:
    with pool.connection() as conn:
        return Runner(pool.url, lambda sql, params: _execute(conn.cursor(), sql, params)).carry_out(planned)


def ask(name: str, params: Mapping[str, Any]) -> Planned[Rows]:
    """The plan of one statement: its rows."""

    def plan(_database: Hashable) -> Plan[Rows]:
        return (yield name, params)

    return plan


def foreign(connection: Any) -> Runner:
    """A runner on a caller's connection.

    Raises:
        TypeError: it is not from psycopg2, psycopg 3 or SQLAlchemy, or it is asynchronous.
    """
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

        place = (connection.info.host, connection.info.port, connection.info.dbname)
        return Runner(place, lambda sql, params: _execute(connection.cursor(row_factory=tuple_row), sql, params))
    if "psycopg2" in kinds:
        info = connection.info
        return Runner(
            (info.host, info.port, info.dbname),
            lambda sql, params: _execute(connection.cursor(cursor_factory=Cursor), sql, params),
        )
    raise TypeError(
        f"expected a connection of psycopg2, psycopg 3 or SQLAlchemy, got {type(connection).__module__}.{name}; "
        "for other drivers there is zeke_jobs.statement()"
    )


def _execute(cursor: Any, sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with cursor:
        if isinstance(cursor, Cursor):
            tolerate(cursor)
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _sqlalchemy(connection: Any) -> Runner:
    from sqlalchemy import text

    bind = connection.get_bind() if hasattr(connection, "get_bind") else connection
    url = bind.engine.url

    def execute(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text(named(sql)), dict(params))]

    return Runner((url.host or url.query.get("host"), url.port, url.database), execute)


def named(sql: str) -> str:
    """A statement with its parameters written ``:name``."""
    return _PARAMETER.sub(r":\1", sql)


def numbered(sql: str, params: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """A statement with its parameters written ``$1``, and their values in that order."""
    names = list(dict.fromkeys(_PARAMETER.findall(sql)))
    text = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", sql)
    return text, tuple(params[name] for name in names)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of any driver's error, even one wrapped by SQLAlchemy."""
    inner = getattr(error, "orig", None) or error
    return getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)


class _OwnPool:
    """The process's pool, opened at the first use; a forked child and a changed ``DATABASE_URL`` get a new one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pool: Pool | None = None

    def __call__(self) -> Pool:
        """A small pool of autocommit connections.

        Raises:
            ConfigurationError: ``DATABASE_URL`` is not set.
        """
        url = environment.database_url()
        pool = self._pool
        if pool is not None and pool.url == url:
            return pool
        with self._lock:
            if self._pool is None or self._pool.url != url:
                if self._pool is not None:
                    self._pool.close()
                self._pool = Pool(url, max_size=_POOL_SIZE, application_name="zeke-jobs client")
            return self._pool

    def forget(self) -> None:
        # The connections belong to the parent; closing them here would end its sessions.
        self._lock = Lock()
        self._inherited, self._pool = self._pool, None


own_pool = _OwnPool()
os.register_at_fork(after_in_child=own_pool.forget)
