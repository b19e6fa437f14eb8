"""Runs the queries of async client calls, on the caller's connection or pool or on the event loop's own pool."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from zeke_jobs.client import drivers
from zeke_jobs.client.plans import Database, P, Plan, Rows, T, numbered
from zeke_jobs.core import environment
from zeke_jobs.postgres.pool import has_news
from zeke_jobs.postgres.queries import SQL

_POOL_SIZE = 8
_CAST = re.compile(r"CAST\(%\((\w+)\)s AS ")


async def perform(connection: Any, plan: Plan[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Run a plan on the caller's connection or pool or, if the caller gives none, on the event loop's own pool.

    On a connection, the plan runs in the connection's transaction, without a commit. Raises TypeError for an unknown
    kind of connection, and ConfigurationError if the loop's pool lacks ``DATABASE_URL`` or psycopg 3.
    """
    if drivers.stand_in is not None:
        return drivers.stand_in.run(plan, *args, **options)
    if connection is None:
        return await plan(own_pool().database, *args, **options)
    kinds = {cls.__module__.partition(".")[0] for cls in type(connection).__mro__}
    name = type(connection).__name__
    if "psycopg_pool" in kinds and name.startswith("Async"):
        async with connection.connection() as conn:
            return await plan(_psycopg(conn), *args, **options)
    if "asyncpg" in kinds and hasattr(connection, "acquire"):
        async with connection.acquire() as conn:
            return await plan(_asyncpg(conn), *args, **options)
    if "asyncpg" in kinds:
        return await plan(_asyncpg(connection), *args, **options)
    if "psycopg" in kinds and name.startswith("Async"):
        return await plan(_psycopg(connection), *args, **options)
    if "sqlalchemy" in kinds and hasattr(connection, "run_sync"):
        found: T = await connection.run_sync(lambda sync: drivers.foreign(sync).run(plan, *args, **options))
        return found
    raise TypeError(
        "expected an asynchronous connection or pool of psycopg 3, asyncpg or SQLAlchemy, got "
        f"{type(connection).__module__}.{name}; for synchronous ones there is zeke_jobs.send(…, connection=connection)"
    )


def _psycopg(connection: Any) -> Database:
    return Database(drivers.place(connection), partial(_execute, connection))


async def _execute(connection: Any, name: str, params: Mapping[str, Any]) -> Rows:
    from psycopg.rows import tuple_row

    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(SQL.text(name), params)
        rows: Rows = await cursor.fetchall()
        return rows


def _asyncpg(connection: Any) -> Database:
    async def execute(statement: str, params: Mapping[str, Any]) -> Rows:
        # The caller may have replaced the codecs with which asyncpg encodes parameters. Text parameters need no codec.
        as_text = _CAST.sub(
            lambda match: f"CAST(CAST(%({match[1]})s AS text{'[]' if isinstance(params[match[1]], list) else ''}) AS ",
            SQL.text(statement),
        )
        text, values = numbered(as_text, params)
        return [tuple(row) for row in await connection.fetch(text, *map(_text, values))]

    # asyncpg has no public attribute for its address, so the identity consists of private attributes: address and database.
    name = getattr(getattr(connection, "_params", None), "database", None)
    return Database(("asyncpg", getattr(connection, "_addr", None), name), execute)


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str | list):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


class AsyncPool:
    """Opens autocommit connections of psycopg 3 on demand, for one event loop. If all are in use, callers wait."""

    def __init__(self, url: str, *, application_name: str = "zeke-jobs client") -> None:
        try:
            import psycopg
        except ImportError as error:
            raise environment.missing(
                "psycopg 3, to connect without a thread", "zeke-jobs[psycopg]", error=error, instead="pass connection="
            ) from error
        self.database = Database(url, self._execute)
        self._url, self._name = url, application_name
        self.disconnected = (psycopg.OperationalError, psycopg.InterfaceError)
        self._psycopg = psycopg
        self._places = asyncio.Semaphore(_POOL_SIZE)
        self._idle: list[Any] = []
        self._is_closed = False

    async def _execute(self, name: str, params: Mapping[str, Any]) -> Rows:
        """Run a statement in its own transaction. If the connection is dead, run the statement again on a new connection."""
        try:
            async with self.connection() as connection:
                return await _execute(connection, name, params)
        except self.disconnected:
            await self.drop_idle()
        async with self.connection() as connection:
            return await _execute(connection, name, params)

    async def close(self) -> None:
        """Close the idle connections now, and each lent connection when its user gives it back."""
        self._is_closed = True
        await self.drop_idle()

    async def drop_idle(self) -> None:
        """Close the idle connections."""
        while self._idle:
            with suppress(Exception):
                await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection of the pool. The caller waits while all connections are in use."""
        async with self._places:
            while self._idle and (self._idle[-1].closed or has_news(self._idle[-1])):
                await self._idle.pop().close()
            if self._idle:
                connection = self._idle.pop()
            else:
                named: dict[str, Any] = {"application_name": self._name, "client_encoding": "UTF8"}
                connection = await self._psycopg.AsyncConnection.connect(self._url, autocommit=True, **named)
                await connection.set_isolation_level(self._psycopg.IsolationLevel.READ_COMMITTED)
            try:
                yield connection
            finally:
                # If the caller was cancelled during a statement, the connection cannot be used again, so close it.
                idle = self._psycopg.pq.TransactionStatus.IDLE
                if not self._is_closed and not connection.closed and connection.info.transaction_status == idle:
                    self._idle.append(connection)
                else:
                    await connection.close()


_POOLS: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncPool] = WeakKeyDictionary()


def own_pool() -> AsyncPool:
    """Return the pool of the running event loop. If ``DATABASE_URL`` has changed, make a new pool."""
    url, loop = environment.database_url(), asyncio.get_running_loop()
    if (pool := _POOLS.get(loop)) is None or pool.database.identity != url:
        pool = _POOLS[loop] = AsyncPool(url)
    return pool


async def close() -> None:
    """At a program's end, close zeke_jobs' connections for the running event loop. A later call opens new ones."""
    if pool := _POOLS.pop(asyncio.get_running_loop(), None):
        await pool.close()
