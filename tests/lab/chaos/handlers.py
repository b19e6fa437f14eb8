"""Each run of a handler writes a trace outside the database, and each effect is a row inside it."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zeke_jobs import Context, Payload

#: The variable names the file to which all processes append. With O_APPEND a short line is written in one piece.
TRACE = "ZEKE_CHAOS_TRACE"


class Work(Payload):
    """``plain`` completes by returning, without an effect in the database; ``kills`` ends the process."""

    seconds: float = 0.0
    group: str = ""
    text: str = ""
    fails: int = 0
    child: bool = False
    plain: bool = False
    kills: bool = False


def _trace(what: str, ctx: Context[Any], payload: Work) -> None:
    # CLOCK_MONOTONIC is shared by all processes of a machine, and does not depend on the wall clock.
    line = f"{what} {time.monotonic():.6f} {os.getpid()} {ctx.job_id} {ctx.task_id} {payload.group or '-'}\n"
    file = os.open(os.environ[TRACE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@contextmanager
def _traced(payload: Work, ctx: Context[Any]) -> Iterator[None]:
    _trace("S", ctx, payload)
    try:
        yield
    finally:
        # The trace is written before the completion commits, because another job may start after the commit.
        _trace("E", ctx, payload)


def _fault(payload: Work, ctx: Context) -> None:
    """Kill the process or fail, if the payload says so."""
    if payload.kills:
        os.kill(os.getpid(), signal.SIGKILL)
    if ctx.attempt <= payload.fails:
        raise RuntimeError("told to fail")


def work(payload: Work, ctx: Context) -> None:
    """Sleep, and then write the effect, send a child and complete in one transaction."""
    with _traced(payload, ctx):
        _rest(payload.seconds)
        _fault(payload, ctx)
    if payload.plain:
        return
    with ctx.transaction() as db, db.cursor() as cursor:
        cursor.execute("INSERT INTO effect (job) VALUES (%s)", (str(ctx.job_id),))
        if payload.child:
            ctx.send("link", {"seconds": 0.01})
        ctx.complete()


async def wait(payload: Work, ctx: Context) -> None:
    with _traced(payload, ctx):
        await asyncio.sleep(payload.seconds)
        _fault(payload, ctx)
    if payload.plain:
        return
    async with ctx.atransaction() as db:
        await db.execute("INSERT INTO effect (job) VALUES (%s)", (ctx.job_id,))
        if payload.child:
            await ctx.asend("link", {"seconds": 0.01})
        await ctx.acomplete()


async def block(payload: Work, ctx: Context) -> None:
    time.sleep(payload.seconds)  # noqa: ASYNC251


def _rest(seconds: float) -> None:
    # Short steps let an interrupt reach the handler.
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
