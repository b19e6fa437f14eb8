import asyncio
import contextlib
import logging
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, Lock, current_thread
from typing import Any, Self

from dramatiq.middleware import Middleware, Shutdown
from dramatiq.middleware.time_limit import TimeLimitExceeded
from dramatiq.rate_limits import ConcurrentRateLimiter
from pydantic import BaseModel

import zeke_jobs
from tests.zeke_jobs.strange import nested
from zeke_jobs import ChunkContext, Context, Defer, FailedJob, Payload, Reject, Retry, Throttled
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
    "past the checks": lambda _: OneDay(),
    "busy": lambda _: Busy("example.org"),
}


def ends(payload: Number, ctx: Context) -> object:
    """Return or raise what ENDS has for ``story_id``; return an unknown ``story_id`` itself."""
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
    """Report progress and wait for the gate; then fail if ``story_id`` is ``fail``."""
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


def hang(seconds: float) -> None:
    """Hang in one call and then in many short ones, and swallow each exception."""
    try:
        GATE.wait(seconds)
        for _ in range(1000):
            time.sleep(0.01)
    except BaseException:  # noqa: BLE001
        CALLS.append("swallowed")


def swallow(payload: Number, ctx: Context) -> str:
    CALLS.append("started")
    hang(0.5)
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
    hang(10)


def spin(payload: Number, ctx: Context) -> None:
    while True:
        pass


def tidies_up(payload: Number, ctx: Context) -> str:
    """Catch the timeout, and raise it again if ``n`` is 0."""
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


def use_units(payload: Number, ctx: Context) -> None:
    ctx.used(tokens=payload.n)
    ctx.add_cost(Decimal("0.5"))


def ask_throttled(payload: Number, ctx: Context) -> None:
    if payload.n:
        ctx.throttled("ai", payload.n, "slow down\0\udc80")
    else:
        raise Throttled(payload.story_id or "ai", 30, "slow down\0\udc80")


def chain(payload: Number, ctx: Context) -> None:
    """Send a job and complete this one in one transaction; if ``story_id`` says so, raise inside or after the transaction."""
    with ctx.transaction():
        ctx.send("echo", {"n": payload.n})
        ctx.complete({"sent": 1})
        if payload.story_id == "inside":
            raise ValueError("inside")
    if payload.story_id == "after":
        raise ValueError("too late to matter")


def chain_itself(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        if payload.n == 0:
            ctx.send("again", {"n": 1, "story_id": payload.story_id}, unique="story_id")
        ctx.progress(1, 2)
        ctx.add_cost(1)


def fan_out(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        sent = ctx.send_many("echo", ({"n": n} for n in range(payload.n)), keys=[f"k{n}" for n in range(payload.n)])
        if payload.story_id == "inside":
            raise ValueError("inside")
        ctx.complete([job.status for job in sent])


def fan_out_into_a_narrow_task(payload: Number, ctx: Context) -> None:
    CALLS.append(ctx.attempt)
    with ctx.transaction():
        if len(CALLS) == 1:
            ctx.send_many("narrow", [{"n": 1}, {"n": 2}])
        ctx.complete()


def lease_and_wait(payload: Number, ctx: Context) -> None:
    with ctx.lease(f"host/{payload.story_id}"):
        CALLS.append("started")
        GATE.wait(10)


def lease_twice(payload: Number, ctx: Context) -> None:
    with ctx.lease("host/example.org"), ctx.lease("host/example.org", 2):
        pass


def progress_beside_db(payload: Number, ctx: Context) -> None:
    with ctx.transaction(), ctx.lease("host/example.org", 8):
        ctx.progress(1, 2)


def spread(payload: Number, ctx: Context) -> None:
    for n in range(payload.n):
        ctx.send("a", {"n": n}, batch=ctx.batch_id)


def gather(payload: Number, ctx: Context) -> None:
    then = ("report", {"n": {"$batch": "completed"}})
    with ctx.transaction(), ctx.batch(f"of-{ctx.job_id}", then=then) as batch:
        batch.send_many("a", [{"n": n} for n in range(payload.n)])
        batch.send("spread", {"n": 1})
        ctx.complete()


def throttled_once(payload: Number, ctx: Context) -> None:
    if not CALLS:
        CALLS.append("throttled")
        raise Throttled("ai", 3600)


def report(payload: FailedJob, ctx: Context) -> dict[str, Any]:
    return {"type": payload.error.get("type"), "n": (payload.payload or {}).get("n")}


class Strict(Payload):
    job_id: int


def strict(payload: Strict, ctx: Context) -> None: ...


def talk(payload: Payload, ctx: Context) -> None:
    """Log twelve lines through the job's logger and the standard library, and fail in the first attempt."""
    for number in range(11):
        ctx.logger.info("step", number=number)
    logging.getLogger("library").warning("half done")
    if ctx.attempt == 1:
        raise ValueError("no luck")


def whisper(payload: Number, ctx: Context) -> None:
    ctx.logger.info(payload.story_id)
    logging.getLogger("library").info("%s", payload.story_id)


def await_event(payload: Number, ctx: Context) -> dict[str, Any]:
    event = ctx.wait_for(f"callback/{payload.n}", timedelta(hours=1))
    return {"data": event.data, "timed_out": event.timed_out, "attempt": ctx.attempt}


MARK: ContextVar[str] = ContextVar("mark", default="")


class Marks(Middleware):  # type: ignore[misc] # dramatiq has no types
    def before_process_message(self, _broker: object, message: Any) -> None:
        message.token = MARK.set(f"of {message.kwargs['n']}")

    def after_process_message(self, _broker: object, message: Any, **_: object) -> None:
        CALLS.append((message.kwargs["n"], MARK.get()))
        MARK.reset(message.token)


class Desk(BaseModel):
    async def open(self) -> Self:
        await asyncio.sleep(0.05)
        CALLS.append(("opened", current_thread().name))
        return self

    async def close(self) -> None:
        await asyncio.sleep(0)
        CALLS.append(("closed", current_thread().name))


async def _gate() -> None:
    while not GATE.is_set():  # noqa: ASYNC110 (a thread sets it)
        await asyncio.sleep(0.01)


async def gated_async(payload: Number, ctx: Context) -> str:
    CALLS.append(payload.n)
    try:
        await _gate()
    except asyncio.CancelledError as error:
        await asyncio.sleep(0.2)  # A cancelled handler can still await its cleanup.
        CALLS.append(str(error))
        raise
    return current_thread().name


async def marked(payload: Number, ctx: Context) -> str:
    """Log twice while other jobs run; return the job's context variable as a new asyncio task sees it."""
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


async def chain_async(payload: Number, ctx: Context) -> None:
    """Write, send, run a step and complete in one transaction. A negative ``n`` raises, which rolls all back."""
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


async def fail_async(payload: Number, ctx: Context) -> None:
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
