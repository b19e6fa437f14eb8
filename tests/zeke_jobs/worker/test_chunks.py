"""Each job of a chunk ends with its own outcome, whatever happens to the other jobs."""

import asyncio
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker.conftest import Jobs, Running, ended
from tests.zeke_jobs.worker.handlers import CALLS, GATE, Number
from zeke_jobs import ChunkContext, Payload
from zeke_jobs.errors import ClaimLost
from zeke_jobs.testing import FakeChunk, JobRunner
from zeke_jobs.worker.run import interrupts

HERE = "tests.zeke_jobs.worker.test_chunks"
RETRY = "retry: {limit: 1, delay: 1ms}"


def task(handler: str, chunk: str = "{size: 5, wait: 300ms}", more: str = RETRY) -> str:
    return f"  many: {{handler: '{HERE}:{handler}', chunk: {chunk}, {more}}}\n  echo: {{handler: 'H:echo'}}"


class Part(Payload):
    n: int
    do: str = "return"


def each(payloads: list[Part], ctx: ChunkContext) -> list[Any]:
    """Do what the payload of each job says."""
    CALLS.append([one.n for one in payloads])
    ctx.logger.info("begins")
    outputs: list[Any] = []
    ctx.add_costs({i: Decimal(one.n) for i, one in enumerate(payloads)})
    for i, (payload, job) in enumerate(zip(payloads, ctx.jobs, strict=True)):
        match payload.do:
            case "fail":
                ctx.fail(i, ValueError(f"no {payload.n}"))
            case "retry" if job.attempt == 1:
                ctx.retry(i, 0.001, "once more")
            case "complete":
                with job.transaction():
                    job.send("echo", {"n": payload.n})
                    job.complete("written")
            case "misplace":
                ctx.add_costs({-1: Decimal(9)})
            case "raise":
                raise ConnectionError(f"all of {len(payloads)}")
        outputs.append({1, 2} if payload.do == "unfit" else [payload.n, job.attempt])
    return outputs


async def each_async(payloads: list[Part], ctx: ChunkContext) -> list[Any]:
    await asyncio.gather(*(job.aadd_cost(Decimal(one.n)) for one, job in zip(payloads, ctx.jobs, strict=True)))
    await asyncio.gather(*(job.asend("echo", {"n": one.n}) for one, job in zip(payloads, ctx.jobs, strict=True)))
    for i, one in enumerate(payloads):
        if one.do == "fail":
            ctx.fail(i, ValueError(f"no {one.n}"))
        elif one.do == "retry" and ctx.jobs[i].attempt == 1:
            ctx.retry(i, 0.001)
    return [[one.n, job.attempt] for one, job in zip(payloads, ctx.jobs, strict=True)]


def too_few(payloads: list[Part], ctx: ChunkContext) -> list[int]:
    return [one.n for one in payloads[1:]]


def gated(payloads: list[Number], ctx: ChunkContext) -> list[Any]:
    CALLS.append("started")
    while not GATE.wait(0.01):
        pass
    CALLS.append([ctx.cancelled(i) for i in range(len(payloads))])
    for job in ctx.jobs:
        with suppress(ClaimLost), job.transaction():
            job.send("echo", {"n": 1})
    return [one.n for one in payloads]


def nested(payloads: list[Part], ctx: ChunkContext) -> None:
    with ctx.jobs[0].transaction(), ctx.jobs[1].transaction():
        pass


def sent(payloads: Sequence[dict[str, Any]], **options: Any) -> list[UUID]:
    return [one.id for one in zeke_jobs.send_many("many", payloads, **options)]


def all_ended(ids: Sequence[UUID]) -> list[zeke_jobs.Job]:
    return [ended(one) for one in ids]


@pytest.mark.parametrize("handler", ["each", "each_async"])
def test_each_job_has_its_own_outcome_attempts_and_cost(running: Running, handler: str) -> None:
    with running(task(handler)):
        ids = sent([{"n": 1}, {"n": 2, "do": "fail"}, {"n": 3, "do": "retry"}, {"n": 4}])
        jobs = all_ended(ids)
    assert [one.status for one in jobs] == ["completed", "failed", "completed", "completed"]
    assert [one.output for one in jobs] == [[1, 1], None, [3, 2], [4, 1]]
    assert [one.cost for one in jobs] == [1, 2, 6, 4]
    assert "ValueError: no 2" in json.dumps(jobs[1].attempts)
    assert [len(one.attempts) for one in jobs] == [0, 1, 1, 0]


def test_a_payload_or_an_output_that_does_not_fit_fails_its_own_job_only(running: Running, jobs: Jobs) -> None:
    jobs.use(task("each"))
    ids = sent([{"n": 1}, {"n": 2, "do": "unfit"}, {"n": 3, "do": "complete"}, {"n": 4}, {"n": 5}])
    jobs.rows(
        """UPDATE zeke_jobs.queue SET message = jsonb_set(message, '{kwargs,n}', '"x"') WHERE message_id = %s""", ids[3]
    )
    with running(task("each")):
        found = all_ended(ids)
    assert [one.status for one in found] == ["completed", "failed", "completed", "failed", "completed"]
    assert CALLS == [[1, 2, 3, 5]]
    assert found[2].output == "written"
    assert jobs.rows("SELECT parent FROM zeke_jobs.queue WHERE task = 'echo'") == [{"parent": ids[2]}]
    assert "cannot be stored" in json.dumps(found[1].attempts)
    assert "payload does not fit" in json.dumps(found[3].attempts)


def test_an_exception_counts_for_all_each_by_its_own_policy_and_is_logged_once(running: Running) -> None:
    with capture_logs() as lines, running(task("each", "{size: 3, wait: 10s}", RETRY + ", per_send: {retry: 3}")):
        first = sent([{"n": 1}, {"n": 2, "do": "raise"}], retry=0)
        last = sent([{"n": 3}], retry=1)
        found = all_ended(first)
        eventually(lambda: zeke_jobs.status(last[0]).status == "retry")
    assert [one.status for one in found] == ["failed", "failed"]
    assert all("ConnectionError" in json.dumps(one.attempts) for one in found)
    assert sum("ConnectionError" in line.get("exception", "") for line in lines) == 1


@pytest.mark.parametrize(
    ("handler", "costs", "words"),
    [
        ("each", [1, 2], "expected the place of a job from 0 to 1, got -1"),
        ("too_few", [None, None], "expected a list of 2 outputs, or None, got a list of 1"),
        ("nested", [None, None], "expected one open transaction in a chunk at a time"),
    ],
)
def test_a_mistake_of_the_handler_fails_all(running: Running, handler: str, costs: list[Any], words: str) -> None:
    with running(task(handler, more="retry: {limit: 0}")):
        jobs = all_ended(sent([{"n": 1}, {"n": 2, "do": "misplace"}]))
    assert [(one.status, one.cost) for one in jobs] == [("failed", cost) for cost in costs]
    assert all(words in json.dumps(one.attempts) for one in jobs)


def test_a_chunk_runs_in_one_thread_and_leaves_the_others_free(running: Running) -> None:
    with running(task("gated", "{size: 3, wait: 0s}"), threads=2) as broker:
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS == ["started"])
        assert broker.process.held.free() == 1
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 7}).id, timeout=20)["n"] == 7
        GATE.set()
        assert [one.status for one in all_ended(ids)] == ["completed"] * 3
        eventually(lambda: len(broker.process.held) == 0)
        assert (broker.process.held.free(), broker.process.held.waiting()) == (2, 0)


def test_a_cancelled_job_leaves_its_chunk_and_the_others_complete(running: Running, jobs: Jobs) -> None:
    with running(task("gated", "{size: 3, wait: 0s}"), threads=2) as broker:
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS == ["started"])
        zeke_jobs.cancel(ids[1])
        eventually(lambda: any(claim.cancelled for claim in broker.process.held.all()))
        GATE.set()
        found = all_ended([ids[0], ids[2]])
        eventually(lambda: zeke_jobs.status(ids[1]).status == "cancelled")
        children = {row["parent"] for row in jobs.rows("SELECT parent FROM zeke_jobs.queue WHERE task = 'echo'")}
        eventually(lambda: len(broker.process.held) == 0)
        assert broker.process.held.free() == 2
    assert [one.output for one in found] == [0, 2]
    assert CALLS == ["started", [False, True, False]]
    assert children == {ids[0], ids[2]}


def test_when_all_its_jobs_are_cancelled_a_chunk_is_stopped(running: Running) -> None:
    with running(task("gated", "{size: 3, wait: 0s}")):
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS == ["started"])
        for one in ids:
            zeke_jobs.cancel(one)
        eventually(lambda: [zeke_jobs.status(one).status for one in ids] == ["cancelled"] * 3)


def test_the_handler_of_a_chunk_is_looked_at_once_a_tick(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    me, looks = threading.get_ident(), list[Any]()
    with running(task("gated", "{size: 3, wait: 0s}")) as broker:
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS == ["started"])

        def look(one: interrupts.Running) -> bool:
            looks.extend([one] if threading.get_ident() == me else [])  # The heartbeat's thread does not count.
            return False

        with monkeypatch.context() as patched:
            patched.setattr(interrupts.Running, "tick", look)
            broker.process.tick()
        for one in ids:
            zeke_jobs.cancel(one)
    assert len(looks) == 1


def test_a_timeout_stops_the_chunk_and_counts_for_each(running: Running) -> None:
    with running(task("gated", "{size: 3, wait: 0s}", "timeout: 300ms, retry: {limit: 0}")):
        jobs = all_ended(sent([{"n": n} for n in range(3)]))
    assert [one.status for one in jobs] == ["failed"] * 3
    assert all("TimedOut" in json.dumps(one.attempts) for one in jobs)


def test_a_chunk_runs_without_a_worker_and_its_handler_without_a_database(jobs: Jobs, database: str) -> None:
    runner = JobRunner(jobs.use(task("each", "{size: 5, wait: 1h}")), database)
    ids = sent([{"n": 1}, {"n": 2, "do": "fail"}, {"n": 3, "do": "retry"}])
    found = {one.id: one.status for one in runner()}
    assert found == dict(zip(ids, ("completed", "failed", "completed"), strict=True))
    assert [sorted(one) for one in CALLS] == [[1, 2, 3], [3]]
    with pytest.raises(ValueError, match="expected at least one job in a chunk, got 0"):
        FakeChunk(0)
    chunk = FakeChunk(3, cancelled=[2])
    assert each([Part(n=1), Part(n=2, do="fail"), Part(n=3)], chunk) == [[1, 1], [2, 1], [3, 1]]
    assert [job.cost for job in chunk.jobs] == [1, 2, 3]
    assert {i: str(error) for i, error in chunk.settled.items()} == {1: "ValueError: no 2"}
    assert chunk.cancelled(2)
