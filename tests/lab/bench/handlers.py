"""The handlers of measured jobs: do nothing, sleep, or record start and worker."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import httpx
from pydantic import BaseModel

from zeke_jobs import Context, Payload


class Work(Payload):
    n: int = 0
    seconds: float = 0.0


def no_op(payload: Work, ctx: Context) -> None:
    """Nothing."""


def talk(payload: Work, ctx: Context) -> None:
    """Logs five lines."""
    for number in range(5):
        ctx.logger.info("a line as handlers log it", number=number, address="https://example.org/an/address")


def nap(payload: Work, ctx: Context) -> dict[str, float]:
    """Takes its time, and says where and when (seconds since the epoch) it ran."""
    start = time.time()
    time.sleep(payload.seconds)
    return {"pid": os.getpid(), "start": start, "end": time.time()}


class Web(BaseModel):
    """A client of one address, with room for all handlers at once."""

    url: str

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.url,
            "timeout": 30,
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
        }

    def open(self) -> httpx.Client:
        return httpx.Client(**self._options())


class AsyncWeb(Web):
    """The same on the event loop."""

    async def open(self) -> httpx.AsyncClient:  # type: ignore[override] # as services may
        sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # httpcore searches the disk for it at each request
        return httpx.AsyncClient(**self._options())


async def ask(payload: Work, ctx: Context) -> int:
    """Waits for the server."""
    web = await ctx.aservice("web")
    return int((await web.get("/")).status_code)


def ask_in_thread(payload: Work, ctx: Context) -> int:
    """Waits for the server."""
    return int(ctx.service("web").get("/").status_code)
