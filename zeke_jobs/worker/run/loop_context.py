"""Gives an async handler its job's context. The context's awaitable methods run in a helper thread or on the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from zeke_jobs import aio
from zeke_jobs.client import async_drivers
from zeke_jobs.client.plans import Database
from zeke_jobs.core.context import P, R
from zeke_jobs.worker.run.job_context import JobContext, deferring_when_full

_INSTEAD = {
    "db": "`async with ctx.atransaction()`, or a pool of your own as a service,",
    "transaction": "`async with ctx.atransaction()`",
    "event": "`await ctx.aevent(…)` or `await ctx.await_for(…)`",
    "lease": "`async with ctx.alease(…)`",
    "batch": "`await ctx.asend_many(…, batch=…, then=…)`",
    "step": "`await ctx.step(name, f, …)` with an async f, such as asyncio.to_thread,",
}
_JOINING = {"send", "send_many", "_keep_step"}  # methods that join an open ``atransaction``


class LoopContext(JobContext):
    """Implements ``Context`` for an async handler: calls run in helper threads, or in the open ``atransaction``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_loop: Any = None  # the connection of the open ``atransaction``
        self._loop = self._runtime.loop
        self._turn = asyncio.Lock()

    def _check_may_block(self, form: str) -> None:
        """Refuse a call that blocks the event loop, because the call would block the other jobs."""
        if threading.get_ident() == self._loop.thread.ident:
            instead = _INSTEAD.get(form, f"`await ctx.a{form}(…)`")
            raise RuntimeError(f"expected {instead} in an async handler, got ctx.{form}, which blocks the event loop")

    @asynccontextmanager
    async def atransaction(self) -> AsyncIterator[Any]:
        with self._checkpoint():
            async with self._loop.connections(self._pool.url).connection() as conn, conn.transaction():
                self._on_loop = conn
                try:
                    yield conn
                    self._check_fence(await self._awaited_value("job/fence", **self._before_fence()))
                finally:
                    self._on_loop = None

    async def _awaited_value(self, statement: str, /, **params: Any) -> Any:
        """Run a statement in the open ``atransaction``. Returns the first row's first value, or None without rows."""
        rows = await async_drivers.perform(self._on_loop, Database.ask, statement, **params)
        return rows[0][0] if rows else None

    async def _beside(self, form: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call a blocking method in a helper thread. One call runs at a time, because all calls share a connection."""
        if self._on_loop is not None and form.__name__ in _JOINING:
            joined: R = await self._join(form.__name__, *args, **options)
            return joined
        async with self._turn:
            call = self._loop.beside(self._released, form, *args, **options)
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                await asyncio.wait([call])  # wait, so that the call does not overlap with the handler's next step
                raise

    def _released(self, form: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        try:
            return form(*args, **options)
        finally:
            self._drop_connection()

    async def _join(self, form: str, *args: Any, **options: Any) -> Any:
        if form == "_keep_step":
            name, result = args
            kept = await self._awaited_value("step/keep", name=name, result=result, **self._held)
            return self._check_kept(name, kept)
        with deferring_when_full():
            return await getattr(aio, form)(*args, parent=self.job_id, connection=self._on_loop, **options)

    async def aservice(self, name: str) -> Any:
        return await self._runtime.aservice(name)
