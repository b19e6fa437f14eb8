"""These handlers send, wait, lease, log and report, for tests of more than one job."""

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.zeke_jobs.worker.handlers import CALLS, GATE, Number
from zeke_jobs import Context, FailedJob, Payload, Throttled


def use_units(payload: Number, ctx: Context) -> None:
    ctx.used(tokens=payload.n)
    ctx.add_cost(Decimal("0.5"))


def ask_throttled(payload: Number, ctx: Context) -> None:
    if payload.n:
        ctx.throttled("ai", payload.n, "slow down\0\udc80")
    else:
        raise Throttled(payload.story_id or "ai", 30, "slow down\0\udc80")


def chain(payload: Number, ctx: Context) -> None:
    """Send and complete in one transaction; ``story_id`` says where the handler raises."""
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


def note_step(name: str) -> str:
    CALLS.append(name)
    return name


def stepwise(payload: Number, ctx: Context) -> dict[str, Any]:
    """Run two steps, and fail after each step until attempt ``n``."""

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
    ended = await ctx.step("second", asyncio.to_thread, lambda: note_step("second") and "done")
    if ctx.attempt < payload.n:
        raise ValueError("after both")
    return {"first": begun, "second": ended, "attempt": ctx.attempt}


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
    """Log twelve lines through the job's logger and the standard library, and fail the first time."""
    for number in range(11):
        ctx.logger.info("step", number=number)
    logging.getLogger("library").warning("half done")
    if ctx.attempt == 1:
        raise ValueError("no luck")


class Word(Payload):
    """The word is a sensitive field."""

    word: str


def whisper(payload: Word, ctx: Context) -> None:
    ctx.logger.info(payload.word)
    logging.getLogger("library").info("%s", payload.word)


def await_event(payload: Number, ctx: Context) -> dict[str, Any]:
    event = ctx.wait_for(f"callback/{payload.n}", timedelta(hours=1))
    return {"data": event.data, "timed_out": event.timed_out, "attempt": ctx.attempt}
