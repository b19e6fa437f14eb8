"""The engine's tests run these async handlers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextvars import ContextVar
from threading import current_thread
from typing import Any

from dramatiq.middleware import Middleware
from pydantic import BaseModel

from tests.zeke_jobs.worker.handlers import CALLS, GATE, Number
from zeke_jobs import Context

MARK: ContextVar[str] = ContextVar("mark", default="")


class Marks(Middleware):  # type: ignore[misc] # dramatiq has no types
    def before_process_message(self, _broker: object, message: Any) -> None:
        message.token = MARK.set(f"of {message.kwargs['n']}")

    def after_process_message(self, _broker: object, message: Any, **_: object) -> None:
        CALLS.append((message.kwargs["n"], MARK.get()))
        MARK.reset(message.token)


class Desk(BaseModel):
    async def open(self) -> Desk:
        await asyncio.sleep(0.05)
        CALLS.append(("opened", current_thread().name))
        return self

    async def close(self) -> None:
        await asyncio.sleep(0)
        CALLS.append(("closed", current_thread().name))


async def _gate() -> None:
    while not GATE.is_set():  # noqa: ASYNC110 (a thread sets it)
        await asyncio.sleep(0.01)


async def gated(payload: Number, ctx: Context) -> str:
    CALLS.append(payload.n)
    try:
        await _gate()
    except asyncio.CancelledError as error:
        await asyncio.sleep(0.2)  # A cancelled handler can still await its cleanup.
        CALLS.append(str(error))
        raise
    return current_thread().name


async def marked(payload: Number, ctx: Context) -> str:
    """Return the handler's context variable, and log twice while other jobs run."""
    ctx.logger.info("begins", of=payload.n)
    await asyncio.sleep(0.05)
    seen = await asyncio.create_task(_mark())
    ctx.logger.info("ends", of=payload.n)
    return seen


async def _mark() -> str:
    return MARK.get()


async def at_desk(payload: Number, ctx: Context) -> str:
    first, second = await asyncio.gather(ctx.aservice("desk"), ctx.aservice("desk"))
    with contextlib.suppress(TypeError):
        ctx.service("desk")
        raise AssertionError
    return f"{first is second}"


async def chain(payload: Number, ctx: Context) -> None:
    """Write, send, run a step and complete in one transaction, which a negative number rolls back."""
    async with ctx.atransaction() as conn:
        await conn.execute("INSERT INTO written VALUES (%s)", (payload.n,))
        await ctx.asend("echo", {"n": 1})
        await ctx.asend_many("echo", [{"n": 2}, {"n": 3}])
        await ctx.step("kept", asyncio.sleep, 0, "kept")
        await ctx.acomplete(payload.n)
        CALLS.append("wrote")
        if payload.n == 0:
            await _gate()
        if payload.n < 0:
            raise ValueError("taken back")


def _once(ctx: Context) -> int:
    CALLS.append("once")
    return ctx.attempt


async def forward(payload: Number, ctx: Context) -> None:
    await asyncio.sleep(0)
    await ctx.asend("echo", {"n": payload.n})


async def fail(payload: Number, ctx: Context) -> None:
    await asyncio.sleep(0.05)
    raise ValueError(f"no luck with {payload.n}")


async def everything(payload: Number, ctx: Context) -> dict[str, Any]:
    async with ctx.alease("desk"):
        await ctx.aprogress(1, 2, "half")
        await asyncio.gather(ctx.aadd_cost(1), ctx.aused(tokens=5), ctx.asend("echo", {"n": 9}))
        kept = await ctx.step("once", asyncio.to_thread, _once, ctx)
        if ctx.attempt == 1:
            raise ValueError("again")
        event = await ctx.aevent("none")
    await ctx.acomplete({"kept": kept, "event": event})
    return {}


async def blocks(payload: Number, ctx: Context) -> str:
    forms = {
        "send": lambda: ctx.send("echo", {}),
        "send_many": lambda: ctx.send_many("echo", [{}]),
        "db": lambda: ctx.db,
        "transaction": lambda: ctx.transaction().__enter__(),
        "complete": ctx.complete,
        "step": lambda: ctx.step("s", lambda: 1),
        "event": lambda: ctx.event("e"),
        "batch": lambda: ctx.batch("b"),
        "progress": lambda: ctx.progress(1),
        "add_cost": lambda: ctx.add_cost(1),
        "used": lambda: ctx.used(tokens=1),
        "throttled": lambda: ctx.throttled("x", 1),
        "lease": lambda: ctx.lease("l").__enter__(),
    }
    for form, call in forms.items():
        try:
            call()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            CALLS.append((form, str(error)))
    return "went on"


async def sleeps(payload: Number, ctx: Context) -> None:
    await asyncio.sleep(0)
    time.sleep(payload.n)  # noqa: ASYNC251


async def exits(payload: Number, ctx: Context) -> None:
    async def child() -> None:
        raise SystemExit(3)

    if payload.n:
        raise SystemExit(3)
    await asyncio.create_task(child())
