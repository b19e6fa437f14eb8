"""Workers of the lab programs run these handlers, which sleep, fail, write, ask a server, or record what they do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from zeke_jobs import Context, Payload

#: The variable names the file to which all processes append. With O_APPEND a short line is written in one piece.
TRACE = "ZEKE_CHAOS_TRACE"


class Work(Payload):
    """With ``plain``, the handler returns without an effect in the database; with ``kills``, it kills its process."""

    n: int = 0
    seconds: float = 0.0
    fails: int = 0
    group: str = ""
    child: bool = False
    plain: bool = False
    kills: bool = False
    sends: tuple[float, ...] = ()


def no_op(payload: Work, ctx: Context) -> None: ...


def talk(payload: Work, ctx: Context) -> None:
    for number in range(5):
        ctx.logger.info("a line as handlers log it", number=number, address="https://example.org/an/address")


def nap(payload: Work, ctx: Context) -> float:
    start = time.time()
    time.sleep(payload.seconds)
    return start


def sleep(payload: Work, ctx: Context) -> None:
    """Sleep; then fail, or send a job for each length in ``sends``."""
    time.sleep(payload.seconds)
    _fault(payload, ctx)
    for seconds in payload.sends:
        ctx.send("child", {"seconds": seconds})


def _fault(payload: Work, ctx: Context) -> None:
    if payload.kills:
        os.kill(os.getpid(), signal.SIGKILL)
    if ctx.attempt <= payload.fails:
        raise RuntimeError("told to fail")


# ── chaos: each run of a handler appends lines to the trace file, and inserts a row as its effect


@contextmanager
def _traced(payload: Work, ctx: Context[Any]) -> Iterator[None]:
    """Write a line at the start and one at the end, before the commit: after the commit, another job may start."""

    def trace(what: str) -> None:
        # CLOCK_MONOTONIC is shared by all processes of a machine, and does not depend on the wall clock.
        line = f"{what} {time.monotonic():.6f} {os.getpid()} {ctx.job_id} {ctx.task_id} {payload.group or '-'}\n"
        file = os.open(os.environ[TRACE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    trace("S")
    try:
        yield
        _fault(payload, ctx)
    finally:
        trace("E")


def work(payload: Work, ctx: Context) -> None:
    """Sleep, and then write the effect, send a child and complete in one transaction."""
    with _traced(payload, ctx):
        end = time.monotonic() + payload.seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))  # Short steps let an interrupt reach the handler.
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
    if payload.plain:
        return
    async with ctx.atransaction() as db:
        await db.execute("INSERT INTO effect (job) VALUES (%s)", (ctx.job_id,))
        if payload.child:
            await ctx.asend("link", {"seconds": 0.01})
        await ctx.acomplete()


async def block(payload: Work, ctx: Context) -> None:
    time.sleep(payload.seconds)  # noqa: ASYNC251


# ── bench: two hundred handlers wait for a server


class Web(BaseModel):
    """This service gives handlers an HTTP client for one address, with any number of connections at a time."""

    url: str

    def open(self, kind: str = "Client") -> Any:
        import httpx  # Workers of other lab programs start without it.

        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return getattr(httpx, kind)(base_url=self.url, timeout=30, limits=limits)


class AsyncWeb(Web):
    async def open(self) -> Any:  # type: ignore[override] # as services may
        sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # httpcore would look for it each time
        return super().open("AsyncClient")


class Streams(Web):
    """The service keeps plain connections, because httpx's pool costs five times as much as a job."""

    async def open(self) -> Kept:  # type: ignore[override] # as services may
        address = urlsplit(self.url)
        return Kept(str(address.hostname), int(address.port or 80))


class Kept:
    """Connections to the server are reused; each serves one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._at = host, port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def status(self) -> int:
        reader, writer = self._free.pop() if self._free else await asyncio.open_connection(*self._at)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        self._free.append((reader, writer))
        return int(head.split(None, 2)[1])


async def ask_by_streams(payload: Work, ctx: Context) -> int:
    return await (await ctx.aservice("web")).status()  # type: ignore[no-any-return]


async def ask(payload: Work, ctx: Context) -> int:
    web = await ctx.aservice("web")
    return int((await web.get("/")).status_code)


def ask_in_thread(payload: Work, ctx: Context) -> int:
    return int(ctx.service("web").get("/").status_code)
