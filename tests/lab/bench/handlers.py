"""The handlers of measured jobs: do nothing, sleep, or record start and worker."""

from __future__ import annotations

import os
import time

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
