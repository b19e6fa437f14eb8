"""Measured jobs run these handlers, which do nothing, sleep, or record start and worker."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel

from zeke_jobs import Context, Payload


class Work(Payload):
    n: int = 0
    seconds: float = 0.0


def no_op(payload: Work, ctx: Context) -> None:
    """Do nothing."""


def talk(payload: Work, ctx: Context) -> None:
    for number in range(5):
        ctx.logger.info("a line as handlers log it", number=number, address="https://example.org/an/address")


def nap(payload: Work, ctx: Context) -> dict[str, float]:
    """Sleep, and return the process id and the times in seconds since the epoch."""
    start = time.time()
    time.sleep(payload.seconds)
    return {"pid": os.getpid(), "start": start, "end": time.time()}


class Web(BaseModel):
    """The service is an HTTP client for one address, with connections for all handlers at once."""

    url: str

    def _options(self) -> dict[str, Any]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return {"base_url": self.url, "timeout": 30, "limits": limits}

    def open(self) -> httpx.Client:
        return httpx.Client(**self._options())


class AsyncWeb(Web):
    """The HTTP client runs on the event loop."""

    async def open(self) -> httpx.AsyncClient:  # type: ignore[override] # as services may
        sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # httpcore would look for it each time
        return httpx.AsyncClient(**self._options())


class Streams(Web):
    """The service keeps plain connections, because httpx's pool costs five times as much as a job."""

    async def open(self) -> Kept:  # type: ignore[override] # as services may
        address = urlsplit(self.url)
        return Kept(str(address.hostname), int(address.port or 80))


class Kept:
    """Each connection to the server serves one request at a time."""

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
