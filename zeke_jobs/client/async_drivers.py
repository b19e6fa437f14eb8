"""One way to await a statement, on connections and pools of psycopg 3, asyncpg and SQLAlchemy, and on connections of our own."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from zeke_jobs.client import drivers
from zeke_jobs.client.drivers import foreign, numbered, refuse_unmigrated
from zeke_jobs.core import environment, extras
from zeke_jobs.postgres.pool import has_news
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping

    from zeke_jobs.client.drivers import Planned, Rows

    Execute = Callable[[str, Mapping[str, Any]], Awaitable[Rows]]

_POOL_SIZE = 8
_CAST = re.compile(r"CAST\(%\((\w+)\)s AS ")

T = TypeVar("T")


async def perform(planned: Planned[T], connection: Any = None) -> T:
    """Run a plan on the caller's connection, in its transaction and without a commit, or on a connection of the caller's pool.

    Without either, on a pool of this event loop: each statement commits by itself, and all run once more if the connection
    turns out to be dead.

    Raises:
        TypeError: the connection is of an unknown kind.
        ConfigurationError: no connection was given, and ``DATABASE_URL`` is not set or psycopg 3 not installed.
    """
    if drivers.stand_in is not None:
        return drivers.stand_in.carry_out(planned)
    if connection is not None:
        return await _on(connection, planned)
    pool = own_pool()
    try:
        return await pool.perform(planned)
    except pool.disconnected:
        await pool.drop_idle()
        return await pool.perform(planned)


async def _on(connection: Any, planned: Planned[T]) -> T:
    kinds = {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}
    name = type(connection).__name__
    if "psycopg_pool" in kinds and name.startswith("Async"):
        async with connection.connection() as conn:
            return await _carry_out(planned, _place_of_psycopg(conn), _psycopg(conn))
    if "asyncpg" in kinds and hasattr(connection, "acquire"):
        async with connection.acquire() as conn:
            return await _carry_out(planned, _place_of_asyncpg(conn), _asyncpg(conn))
    if "asyncpg" in kinds:
        return await _carry_out(planned, _place_of_asyncpg(connection), _asyncpg(connection))
    if "psycopg" in kinds and name.startswith("Async"):
        return await _carry_out(planned, _place_of_psycopg(connection), _psycopg(connection))
    if "sqlalchemy" in kinds and hasattr(connection, "run_sync"):
        found: T = await connection.run_sync(lambda sync: foreign(sync).carry_out(planned))
        return found
    raise TypeError(
        "expected an asynchronous connection or pool of psycopg 3, asyncpg or SQLAlchemy, got "
        f"{type(connection).__module__}.{name}; for synchronous ones there is zeke_jobs.send(…, connection=connection)"
    )


async def _carry_out(planned: Planned[T], database: Hashable, execute: Execute) -> T:
    plan = planned(database)
    try:
        name, params = next(plan)
        while True:
            try:
                rows = await execute(SQL.text(name), params)
            except Exception as error:
                refuse_unmigrated(error)
                raise
            name, params = plan.send(rows)
    except StopIteration as end:
        found: T = end.value
        return found


def _place_of_psycopg(connection: Any) -> Hashable:
    return (connection.info.host, connection.info.port, connection.info.dbname)


def _psycopg(connection: Any) -> Execute:
    from psycopg.rows import tuple_row

    async def execute(sql: str, params: Mapping[str, Any]) -> Rows:
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(sql, params)
            rows: Rows = await cursor.fetchall()
            return rows

    return execute


def _place_of_asyncpg(connection: Any) -> Hashable:
    # asyncpg has no public attribute for the address, so this also uses the names of the database and the server.
    return (
        "asyncpg",
        getattr(connection, "_addr", None),
        getattr(getattr(connection, "_params", None), "database", None),
    )


def _asyncpg(connection: Any) -> Execute:
    async def execute(sql: str, params: Mapping[str, Any]) -> Rows:
        # asyncpg sends parameters in binary, by codecs that the caller may have replaced; text needs no codec.
        as_text = _CAST.sub(
            lambda match: f"CAST(CAST(%({match[1]})s AS text{'[]' if isinstance(params[match[1]], list) else ''}) AS ",
            sql,
        )
        values = {
            name: value if value is None or isinstance(value, str | list) else _text(value)
            for name, value in params.items()
        }
        text, arguments = numbered(as_text, values)
        return [tuple(row) for row in await connection.fetch(text, *arguments)]

    return execute


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class AsyncPool:
    """Autocommit connections of psycopg 3 for one event loop, opened on demand; if all are in use, callers wait."""

    def __init__(self, url: str, *, application_name: str = "zeke-jobs client") -> None:
        try:
            import psycopg
        except ImportError as error:
            raise extras.missing(
                "psycopg 3, to connect without a thread", "zeke-jobs[psycopg]", error=error, instead="pass connection="
            ) from error
        self.url = url
        self._name = application_name
        self.disconnected = (psycopg.OperationalError, psycopg.InterfaceError)
        self._psycopg = psycopg
        self._places = asyncio.Semaphore(_POOL_SIZE)
        self._idle: list[Any] = []
        self._is_closed = False

    async def connect(self, application_name: str) -> Any:
        """A new autocommit connection; the caller closes it."""
        connection = await self._psycopg.AsyncConnection.connect(
            self.url, autocommit=True, application_name=application_name, client_encoding="UTF8"
        )
        await connection.set_isolation_level(self._psycopg.IsolationLevel.READ_COMMITTED)
        return connection

    async def perform(self, planned: Planned[T]) -> T:
        """Run a plan on one of its connections."""
        async with self.connection() as connection:
            return await _carry_out(planned, self.url, _psycopg(connection))

    async def drop_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            with suppress(Exception):
                await self._idle.pop().close()

    async def close(self) -> None:
        """Close idle connections now, and the others after their use."""
        self._is_closed = True
        await self.drop_idle()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """One of its connections; when all are in use, the caller waits."""
        async with self._places:
            while self._idle and (self._idle[-1].closed or has_news(self._idle[-1])):
                await self._idle.pop().close()
            connection = self._idle.pop() if self._idle else await self.connect(self._name)
            try:
                yield connection
            finally:
                # After a caller was cancelled in a statement, its connection cannot be used again.
                idle = self._psycopg.pq.TransactionStatus.IDLE
                if not self._is_closed and not connection.closed and connection.info.transaction_status == idle:
                    self._idle.append(connection)
                else:
                    await connection.close()


_POOLS: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncPool] = WeakKeyDictionary()


def own_pool() -> AsyncPool:
    """The pool of the running event loop; a changed ``DATABASE_URL`` gets a new one.

    Raises:
        ConfigurationError: ``DATABASE_URL`` is not set, or psycopg 3 not installed.
    """
    url = environment.database_url()
    loop = asyncio.get_running_loop()
    pool = _POOLS.get(loop)
    if pool is None or pool.url != url:
        pool = _POOLS[loop] = AsyncPool(url)
    return pool


async def close() -> None:
    """Close the running event loop's pool, if it has one."""
    pool = _POOLS.pop(asyncio.get_running_loop(), None)
    if pool is not None:
        await pool.close()
