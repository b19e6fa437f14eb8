"""Await the end of jobs: one connection of the event loop listens for all waiting calls, and polls in case it hears nothing."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import async_drivers
from zeke_jobs.client.listening import CHANNEL
from zeke_jobs.client.plans import Database
from zeke_jobs.core import environment
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from zeke_jobs.client.async_drivers import AsyncPool

_EVERY = 1.0  # seconds between two looks at awaited jobs, which find ends without an announcement
_LINGER = 10.0  # seconds that our connection stays open after the last waiting call


class AsyncListener:
    """Wakes the waiting calls of one event loop when their jobs have ended.

    ``pool`` has the connections for polls; one more connection listens while a call waits.
    """

    def __init__(self, pool: AsyncPool) -> None:
        self.pool = pool
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    async def wait(self, job_id: str, deadline: float | None) -> bool:
        """Return True if the job has ended or the listener was closed, False if the loop's clock reached the deadline."""
        event = asyncio.Event()
        self._waiting.setdefault(job_id, []).append(event)
        try:
            # An earlier end shows in the answer, a later one is announced; a poll finds one that commits at this moment.
            if not await self.pool.perform(Database.ask, "job/await", id=job_id):
                return True
            if not event.is_set() and (self._task is None or self._task.done()):
                self._task = asyncio.create_task(self._run(), name="zeke-jobs listener")
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await event.wait()
            return event.is_set()
        finally:
            events = self._waiting.get(job_id, [])
            if event in events:
                events.remove(event)
            if not events:
                self._waiting.pop(job_id, None)

    async def close(self) -> None:
        """Stop listening, and wake all waiting calls: they look at their jobs, and go on with the next listener."""
        while self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._notify(list(self._waiting))

    async def _run(self) -> None:
        while True:
            try:
                connection = await self.pool.connect("zeke-jobs listener")
                try:
                    await self._serve(connection)
                finally:
                    await connection.close()
            except self.pool.disconnected:
                pass  # callers go on waiting until their own deadline: servers come back
            except Exception:  # noqa: BLE001 (a caller without a deadline would wait for ever; it is logged)
                from zeke_jobs.core.logs import get_logger

                get_logger(__name__).exception("looking for the end of jobs failed; it is tried again")
            if not self._waiting:
                return
            await asyncio.sleep(_EVERY)

    async def _serve(self, connection: Any) -> None:
        # No announcement arrives through a pooler; a poll each second is enough.
        if environment.listen() != "off":
            await connection.execute(f'LISTEN "{CHANNEL}"')
        loop = asyncio.get_running_loop()
        needed = loop.time()
        while self._waiting or loop.time() - needed < _LINGER:
            if self._waiting:
                needed = loop.time()
                cursor = await connection.execute(SQL.text("job/ended"), {"ids": list(self._waiting)})
                self._notify([row[0] for row in await cursor.fetchall()])
            async for notification in connection.notifies(timeout=_EVERY):
                self._notify([notification.payload])

    def _notify(self, ids: list[str]) -> None:
        for job_id in ids:
            for event in self._waiting.pop(job_id, []):
                event.set()


def listener() -> AsyncListener:
    """The listener of the running event loop's own pool.

    Raises:
        ConfigurationError: ``DATABASE_URL`` is not set, or psycopg 3 not installed.
    """
    pool = async_drivers.own_pool()
    pool.listener = pool.listener or AsyncListener(pool)
    found: AsyncListener = pool.listener
    return found
