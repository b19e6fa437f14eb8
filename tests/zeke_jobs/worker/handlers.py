"""Handlers that the engine's tests run."""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Event, Lock
from typing import Any

from dramatiq.middleware import Shutdown
from dramatiq.middleware.time_limit import TimeLimitExceeded
from dramatiq.rate_limits import ConcurrentRateLimiter
from pydantic import BaseModel

import zeke_jobs
from zeke_jobs import Context, Defer, FailedJob, Payload, Reject, Retry, Throttled
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


def echo_story(payload: Number, ctx: Context) -> str:
    return payload.story_id


async def echo_async(payload: Number, ctx: Context) -> int:
    await asyncio.sleep(0)
    return payload.n


def greet(payload: Number, ctx: Context[Greeting]) -> str:
    return ctx.settings.greeting


def use_units(payload: Number, ctx: Context) -> None:
    ctx.used(tokens=payload.n)
    ctx.add_cost(Decimal("0.5"))


def ask_throttled(payload: Number, ctx: Context) -> None:
    if payload.n:
        ctx.throttled("ai", payload.n, "slow down\0\udc80")
    else:
        raise Throttled(payload.story_id or "ai", 30, "slow down\0\udc80")


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


def retry_soon(payload: Number, ctx: Context) -> int:
    if ctx.attempt == 1:
        raise Retry(timedelta(milliseconds=10), "once more")
    return ctx.attempt


def defer_once(payload: Number, ctx: Context) -> int:
    CALLS.append(ctx.attempt)
    if len(CALLS) == 1:
        raise Defer(0.01, "the budget is spent")
    return ctx.attempt


def reject(payload: Number, ctx: Context) -> None:
    raise Reject("not a feed", {"url": "x"})


LOCK = Lock()


def block_in_c(payload: Number, ctx: Context) -> str:
    """Waits where no exception can reach it."""
    CALLS.append("started")
    with LOCK:
        return "late"


def reject_oddly(payload: Number, ctx: Context) -> None:
    raise Reject("no \x00 \ud800 thanks", {"when": object()})


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raise_mute(payload: Number, ctx: Context) -> None:
    raise Mute


class Busy(Defer):
    """Forgets what it is made of."""

    def __init__(self, host: str) -> None:
        self.host = host


def raise_busy(payload: Number, ctx: Context) -> None:
    raise Busy("example.org")


def defer_beyond_time(payload: Number, ctx: Context) -> None:
    raise Defer(timedelta(days=300_000_000), "when hell freezes over")


def defer_for_millennia(payload: Number, ctx: Context) -> None:
    raise Defer(251606667985.9, "as the site asked")


class OneDay(Defer):
    """Says when past the checks of ``Defer``."""

    def __init__(self) -> None:
        self.until = datetime.max.replace(tzinfo=UTC)


def defer_past_the_checks(payload: Number, ctx: Context) -> None:
    raise OneDay


def return_a_deep_value(payload: Number, ctx: Context) -> object:
    value: list[object] = []
    for _ in range(500):
        value = [value]
    return value


def returns_nonsense(payload: Number, ctx: Context) -> object:
    return object()


def chain(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        ctx.send("echo", {"n": payload.n})
        ctx.complete({"sent": 1})


def pay(payload: Number, ctx: Context) -> None:
    ctx.add_cost(Decimal("0.10"))


def chain_itself(payload: Number, ctx: Context) -> None:
    """Sends its own successor, and then says how far it is and what it cost."""
    with ctx.transaction():
        if payload.n == 0:
            ctx.send("again", {"n": 1, "story_id": payload.story_id}, unique="story_id")
        ctx.progress(1, 2)
        ctx.add_cost(1)


def chain_then_raise(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        ctx.send("echo", {"n": payload.n})
        ctx.complete({"sent": 1})
    raise ValueError("too late to matter")


def chain_and_raise_inside(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        ctx.send("echo", {"n": payload.n})
        ctx.complete({"sent": 1})
        raise ValueError("inside")


def fan_out(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        sent = ctx.send_many("echo", ({"n": n} for n in range(payload.n)), keys=[f"k{n}" for n in range(payload.n)])
        ctx.complete([job.status for job in sent])


def fan_out_and_raise_inside(payload: Number, ctx: Context) -> None:
    with ctx.transaction():
        ctx.send_many("echo", [{"n": 1}, {"n": 2}])
        raise ValueError("inside")


def fan_out_into_a_narrow_task(payload: Number, ctx: Context) -> None:
    CALLS.append(ctx.attempt)
    with ctx.transaction():
        if len(CALLS) == 1:
            ctx.send_many("narrow", [{"n": 1}, {"n": 2}])
        ctx.complete()


def busy(payload: Number, ctx: Context) -> None:
    """Runs Python code until something stops it."""
    CALLS.append("started")
    for _ in range(3000):
        time.sleep(0.01)


def query(payload: Number, ctx: Context) -> None:
    """Waits inside the database until something stops it."""
    CALLS.append("started")
    with ctx.db.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")


def gated(payload: Number, ctx: Context) -> None:
    """Ends when the test lets it."""
    CALLS.append("started")
    GATE.wait(30)


def gated_failure(payload: Number, ctx: Context) -> None:
    """Fails when the test lets it."""
    gated(payload, ctx)
    raise ValueError("no luck")


def first_gated(payload: Number, ctx: Context) -> None:
    """The job with number 1 ends when the test lets it, all others at once."""
    CALLS.append(payload.n)
    if payload.n == 1:
        GATE.wait(30)


async def wait_async(payload: Number, ctx: Context) -> None:
    CALLS.append("started")
    await asyncio.sleep(30)


def swallow(payload: Number, ctx: Context) -> str:
    """Takes every exception for its own business, and wants to commit afterwards."""
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


def swallow_and_return(payload: Number, ctx: Context) -> str:
    CALLS.append("started")
    try:
        for _ in range(1000):
            time.sleep(0.01)
    except BaseException:  # noqa: BLE001
        CALLS.append("swallowed")
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


def progress(payload: Number, ctx: Context) -> None:
    ctx.progress(3, 10, "three of ten")
    CALLS.append("started")
    GATE.wait(10)


def lease(payload: Number, ctx: Context) -> str:
    """Holds a lease of the host, and counts how many hold it with itself."""
    with ctx.lease("host/example.org", limit=2, wait=0.02):
        CALLS.append(1)
        held = sum(CALLS)
        time.sleep(0.02)
        CALLS.append(-1)
    return str(held)


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


class Strange(Payload):
    x: Any = None
    do: str = "return"


def strange(payload: Strange, ctx: Context) -> Any:
    """Does something with whatever it was sent, for the first time; then it is content."""
    if ctx.job_id in CALLS:
        return None
    CALLS.append(ctx.job_id)
    match payload.do:
        case "defer":
            raise Defer(payload.x, "it was told so")
        case "retry":
            raise Retry(payload.x, "it was told so")
        case "reject":
            raise Reject(str(payload.x), payload.x)
        case "progress":
            ctx.progress(payload.x, payload.x)
        case "complete":
            ctx.complete(payload.x)
    return payload.x


def spread(payload: Number, ctx: Context) -> None:
    """Adds jobs to the batch that it belongs to."""
    for n in range(payload.n):
        ctx.send("a", {"n": n}, batch=ctx.batch_id)


def spread_and_raise(payload: Number, ctx: Context) -> None:
    with ctx.transaction(), ctx.batch("rolled-back", then=("report", {})) as batch:
        batch.send_many("a", [{}] * payload.n)
        raise ValueError("no")


def gather(payload: Number, ctx: Context) -> None:
    """A batch of its own: jobs that do something, and one that adds to it."""
    then = ("report", {"n": {"$batch": "completed"}})
    with ctx.transaction(), ctx.batch(f"of-{ctx.job_id}", then=then) as batch:
        batch.send_many("a", [{"n": n} for n in range(payload.n)])
        batch.send("spread", {"n": 1})
        ctx.complete()


def note_step(name: str) -> str:
    CALLS.append(name)
    return name


def stepwise(payload: Number, ctx: Context) -> dict[str, Any]:
    """Two steps; fails after each of them until attempt ``n``."""

    def first(n: int) -> tuple[int, int]:
        note_step("first")
        return 1, n

    def second() -> str:
        note_step("second")
        return "done"

    begun = ctx.step("first", first, payload.n)
    if ctx.attempt < payload.n - 1:
        raise ValueError("after the first")
    ended = ctx.step("second", second)
    if ctx.attempt < payload.n:
        raise ValueError("after the second")
    return {"first": begun, "second": ended, "attempt": ctx.attempt}


async def stepwise_async(payload: Number, ctx: Context) -> dict[str, Any]:
    async def first(*, n: int) -> tuple[int, int]:
        await asyncio.sleep(0)
        note_step("first")
        return 1, n

    begun = await ctx.step("first", first, n=payload.n)
    ended = ctx.step("second", lambda: note_step("second") and "done")
    if ctx.attempt < payload.n:
        raise ValueError("after both")
    return {"first": begun, "second": ended, "attempt": ctx.attempt}


def spin(payload: Number, ctx: Context) -> None:
    while True:
        pass


def throttled_once(payload: Number, ctx: Context) -> None:
    """The limit is closed at its first call."""
    if not CALLS:
        CALLS.append("throttled")
        raise Throttled("ai", 3600)


def tidies_up(payload: Number, ctx: Context) -> None:
    """Catches its timeout by dramatiq's name, and raises it again."""
    try:
        spin(payload, ctx)
    except TimeLimitExceeded:
        CALLS.append("tidied up")
        raise


def told_of_shutdown(payload: Number, ctx: Context) -> None:
    """Runs on until dramatiq tells it of the shutdown, or the test ends."""
    CALLS.append(payload.n)
    try:
        while not GATE.is_set():
            time.sleep(0.01)
    except Shutdown:
        CALLS.append(f"shut down {payload.n}")
        raise


def carries_on(payload: Number, ctx: Context) -> str:
    """Catches its timeout, and returns."""
    try:
        spin(payload, ctx)
    except TimeLimitExceeded:
        CALLS.append("went on")
    return "done"


def reject_with_details(payload: Number, ctx: Context) -> None:
    """Details at the bounds: their size, or their depth."""
    details: Any = "x" * (bounds.LARGEST - 2) if payload.story_id == "large" else "the innermost"
    for _ in range(0 if payload.story_id == "large" else bounds.DEEPEST):
        details = [details]
    raise Reject("it does not fit", details)


class SignUp(Payload):
    email: str
    pin: int = 0


def sign_up(payload: SignUp, ctx: Context) -> None:
    local_part, _, _ = payload.email.partition("@")
    raise ValueError(f"no mail to {payload.email}, {local_part}")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that its backends for other servers are not installed
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


def report(payload: FailedJob, ctx: Context) -> dict[str, Any]:
    return {"type": payload.error.get("type"), "n": (payload.payload or {}).get("n")}


class Strict(Payload):
    job_id: int


def strict(payload: Strict, ctx: Context) -> None: ...


def slowly(payload: Number, ctx: Context) -> int:
    time.sleep(0.3)  # its sender is waiting by then
    return payload.n


def large(payload: Number, ctx: Context) -> str:
    time.sleep(0.5)
    return "x" * 8000


def talk(payload: Payload, ctx: Context) -> None:
    """Logs twelve lines, through its own logger and the standard library's, and fails the first time."""
    for number in range(11):
        ctx.logger.info("step", number=number)
    logging.getLogger("library").warning("half done")
    if ctx.attempt == 1:
        raise ValueError("no luck")


def talk_and_complete(payload: Payload, ctx: Context) -> None:
    """Logs a line, and completes itself."""
    ctx.logger.info("done soon")
    ctx.complete()


def log_and_wait(payload: Payload, ctx: Context) -> None:
    """Logs a line, and waits at the gate."""
    ctx.logger.info("before the gate")
    CALLS.append("began")
    GATE.wait(20)


class Word(Payload):
    """A secret."""

    word: str


def whisper(payload: Word, ctx: Context) -> None:
    """Logs its secret."""
    ctx.logger.info(payload.word)
    logging.getLogger("library").info("%s", payload.word)


def record(payload: Number, ctx: Context) -> None:
    CALLS.append(payload.n)


def await_event(payload: Number, ctx: Context) -> dict[str, Any]:
    event = ctx.wait_for(f"callback/{payload.n}", timedelta(hours=1))
    return {"data": event.data, "timed_out": event.timed_out, "attempt": ctx.attempt}
