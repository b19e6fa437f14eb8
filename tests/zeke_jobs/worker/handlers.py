import asyncio
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, Lock
from typing import Any

from dramatiq.middleware import Shutdown
from dramatiq.middleware.time_limit import TimeLimitExceeded
from dramatiq.rate_limits import ConcurrentRateLimiter
from pydantic import BaseModel

import zeke_jobs
from tests.zeke_jobs.strange import nested
from zeke_jobs import ChunkContext, Context, Defer, Payload, Reject, Retry
from zeke_jobs.core import bounds
from zeke_jobs.errors import InvalidPayload

GATE = Event()
CALLS: list[Any] = []


class Number(Payload):
    n: int = 0
    story_id: str = ""


class Greeting(BaseModel):
    greeting: str = "hello"


def echo(payload: Number, ctx: Context) -> dict[str, Any]:
    return {"n": payload.n, "attempt": ctx.attempt, "task": ctx.task_id}


async def echo_async(payload: Number, ctx: Context) -> int:
    await asyncio.sleep(0)
    return payload.n


def greet(payload: Number, ctx: Context[Greeting]) -> str:
    return ctx.settings.greeting


def fail(payload: Number, ctx: Context) -> None:
    raise ValueError(f"no luck with {payload.n}")


def send_wrongly() -> None:
    try:
        zeke_jobs.send("echo", {"m": 1})
    except InvalidPayload as error:
        raise RuntimeError("could not send") from error


def fail_inside(payload: Number, ctx: Context) -> None:
    send_wrongly()


async def fail_inside_async(payload: Number, ctx: Context) -> None:
    send_wrongly()


def fail_once(payload: Number, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise ValueError("the first time")
    return ctx.attempt


LOCK = Lock()


def block_in_c(payload: Number, ctx: Context) -> str:
    """Wait in C code, where no exception can interrupt the handler."""
    CALLS.append("started")
    with LOCK:
        return "late"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Busy(Defer):
    def __init__(self, host: str) -> None:
        self.host = host


class OneDay(Defer):
    """The exception sets ``until`` without the checks of ``Defer``."""

    def __init__(self) -> None:
        self.until = datetime.max.replace(tzinfo=UTC)


def defer_once(ctx: Context) -> object:
    CALLS.append(ctx.attempt)
    return ctx.attempt if CALLS[1:] else Defer(0.01, "the budget is spent")


#: These are ends of a handler by their names; an exception is raised. No row can store the odd ends unchanged.
ENDS: dict[str, Callable[[Context], object]] = {
    "settings": lambda ctx: [getattr(ctx.settings_of(task), "greeting", None) for task in ("greet", "echo", "none")],
    "retry": lambda ctx: Retry(timedelta(milliseconds=10), "once more") if ctx.attempt == 1 else ctx.attempt,
    "defer": defer_once,
    "reject": lambda _: Reject("not a feed", {"url": "x"}),
    "paid": lambda ctx: ctx.add_cost(Decimal("0.10")),
    "complete": lambda ctx: ctx.logger.info("done soon") or ctx.complete(),
    "large details": lambda _: Reject("it does not fit", "x" * (bounds.LARGEST - 2)),
    "deep details": lambda _: Reject("it does not fit", nested(bounds.DEEPEST)),
    "nonsense": lambda _: object(),
    "deep value": lambda _: nested(500),
    "odd rejection": lambda _: Reject("no \x00 \ud800 thanks", {"when": object()}),
    "mute": lambda _: Mute(),
    "beyond time": lambda _: Defer(timedelta(days=300_000_000), "when hell freezes over"),
    "for millennia": lambda _: Defer(251606667985.9, "as the site asked"),
    "past the checks": lambda _: OneDay(),
    "busy": lambda _: Busy("example.org"),
}


def ends(payload: Number, ctx: Context) -> object:
    """End as ``story_id`` says, or return it."""
    end = ENDS[payload.story_id](ctx) if payload.story_id in ENDS else payload.story_id
    if isinstance(end, Exception):
        raise end
    return end


def busy(payload: Number, ctx: Context) -> None:
    CALLS.append("started")
    for _ in range(3000):
        time.sleep(0.01)


def query(payload: Number, ctx: Context) -> None:
    CALLS.append("started")
    ctx.db.cursor().execute("SELECT pg_sleep(30)")


def gated(payload: Number, ctx: Context) -> None:
    """Report progress, wait for the gate, and end as ``story_id`` says."""
    ctx.progress(3, 10, "three of ten")
    ctx.logger.info("at the gate")
    CALLS.append("started")
    GATE.wait(30)
    if payload.story_id == "fail":
        raise ValueError("no luck")


def first_gated(payload: Number, ctx: Context) -> None:
    """Wait for the gate in the job with number 1; end at once in all other jobs."""
    CALLS.append(payload.n)
    if payload.n == 1:
        GATE.wait(30)


async def wait_async(payload: Number, ctx: Context) -> None:
    CALLS.append("started")
    await asyncio.sleep(30)


def swallow(payload: Number, ctx: Context) -> str:
    CALLS.append("started")
    try:
        time.sleep(0.5)
        for _ in range(1000):
            time.sleep(0.01)
    except BaseException:  # noqa: BLE001
        CALLS.append("swallowed")
    with ctx.transaction() as db, db.cursor() as cursor:
        cursor.execute("CREATE TABLE committed_after_cancel ()")
    return "done"


async def swallow_async(payload: Number, ctx: Context) -> str:
    CALLS.append("started")
    try:
        await asyncio.sleep(10)
    except BaseException:  # noqa: BLE001
        CALLS.append("swallowed")
    return "done"


def complete_and_wait(payload: Number, ctx: Context) -> None:
    ctx.complete("done")
    CALLS.append("completed")
    try:
        GATE.wait(10)
        for _ in range(1000):
            time.sleep(0.01)
    except BaseException:  # noqa: BLE001
        CALLS.append("swallowed")


def spin(payload: Number, ctx: Context) -> None:
    while True:
        pass


def tidies_up(payload: Number, ctx: Context) -> str:
    """Catch the timeout, and raise it again unless ``n`` says to go on."""
    try:
        spin(payload, ctx)
    except TimeLimitExceeded:
        CALLS.append("tidied up")
        if not payload.n:
            raise
    return "done"


def told_of_shutdown(payload: Number, ctx: Context) -> None:
    CALLS.append(payload.n)
    try:
        while not GATE.is_set():
            time.sleep(0.01)
    except Shutdown:
        CALLS.append(f"shut down {payload.n}")
        raise


class SignUp(Payload):
    email: str
    pin: int = 0


def sign_up(payload: SignUp, ctx: Context) -> None:
    local_part, _, _ = payload.email.partition("@")
    raise ValueError(f"no mail to {payload.email}, {local_part}")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Dramatiq warns that its backends for other servers are not installed.
    from dramatiq.rate_limits.backends import StubBackend

_MUTEX = ConcurrentRateLimiter(StubBackend(), "one-by-one", limit=1)
_INSIDE: list[int] = []


def one_by_one(payload: Number, ctx: Context) -> int:
    with _MUTEX.acquire():
        _INSIDE.append(payload.n)
        time.sleep(0.3)
        most = len(_INSIDE)
        _INSIDE.remove(payload.n)
        return most


def slowly(payload: Number, ctx: Context) -> int | str:
    time.sleep(0.3)  # The sender waits for the job by then.
    return "x" * 8000 if payload.story_id == "large" else payload.n


def echo_all(payloads: list[Number], ctx: ChunkContext) -> list[Any]:
    CALLS.append([one.n for one in payloads])
    return [{"n": one.n, "attempt": job.attempt} for one, job in zip(payloads, ctx.jobs, strict=True)]
