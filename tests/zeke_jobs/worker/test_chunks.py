"""Each job of a chunk ends with its own outcome, and chunks obey settings and limits. The tests set the clock."""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

import zeke_jobs
from tests.each import cases
from tests.waiting import eventually
from tests.zeke_jobs.sql import change
from tests.zeke_jobs.worker.conftest import NOON, Jobs, Patch, Running, ended, one_worker
from tests.zeke_jobs.worker.handlers import CALLS, GATE
from zeke_jobs import ChunkContext, Payload
from zeke_jobs.errors import ClaimLost
from zeke_jobs.testing import FakeChunk, JobRunner
from zeke_jobs.worker.run import interrupts

HERE = "tests.zeke_jobs.worker.test_chunks"
RETRY = "retry: {limit: 1, delay: 1ms}"


def task(handler: str, chunk: str = "{size: 5, wait: 300ms}", more: str = RETRY, name: str = "many") -> str:
    return f"  {name}: {{handler: '{HERE}:{handler}', chunk: {chunk}, {more}}}\n"


ECHO = "  echo: {handler: 'H:echo'}\n"
ONCE = "timeout: 300ms, retry: {limit: 0}"
worker = one_worker(
    f"{ECHO}{task('each')}{task('each_async', name='awaited')}"
    f"{task('each', more=ONCE, name='once')}{task('gated', more=ONCE, name='slow')}"
)


class Part(Payload):
    n: int
    do: str = "return"


def each(payloads: list[Part], ctx: ChunkContext) -> list[Any]:
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
            case "leave out":
                return outputs
            case "nest":
                with ctx.jobs[0].transaction(), ctx.jobs[1].transaction():
                    pass
            case "raise":
                raise ConnectionError(f"all of {len(payloads)}")
        outputs.append({1, 2} if payload.do == "unfit" else [payload.n, job.attempt])
    return outputs


def gated(payloads: list[Part], ctx: ChunkContext) -> list[Any]:
    CALLS.append("started")
    while not GATE.wait(0.01):
        pass
    CALLS.append([ctx.cancelled(i) for i in range(len(payloads))])
    for job in ctx.jobs:
        with suppress(ClaimLost), job.transaction():
            job.send("echo", {"n": 1})
    return [one.n for one in payloads]


def sent(payloads: Sequence[dict[str, Any]], name: str = "many", **options: Any) -> list[UUID]:
    return [one.id for one in zeke_jobs.send_many(name, payloads, **options)]


async def each_async(payloads: list[Part], ctx: ChunkContext) -> list[Any]:
    await asyncio.gather(*(job.aadd_cost(Decimal(one.n)) for one, job in zip(payloads, ctx.jobs, strict=True)))
    await asyncio.gather(*(job.asend("echo", {"n": one.n}) for one, job in zip(payloads, ctx.jobs, strict=True)))
    for i, one in enumerate(payloads):
        if one.do == "fail":
            ctx.fail(i, ValueError(f"no {one.n}"))
        elif one.do == "retry" and ctx.jobs[i].attempt == 1:
            ctx.retry(i, 0.001)
    return [[one.n, job.attempt] for one, job in zip(payloads, ctx.jobs, strict=True)]


def all_ended(ids: Sequence[UUID]) -> list[zeke_jobs.Job]:
    return [ended(one) for one in ids]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("name", ["many", "awaited"])
def test_each_job_has_its_own_outcome_attempts_and_cost(name: str) -> None:
    jobs = all_ended(sent([{"n": 1}, {"n": 2, "do": "fail"}, {"n": 3, "do": "retry"}, {"n": 4}], name))
    assert [one.status for one in jobs] == ["completed", "failed", "completed", "completed"]
    assert [one.output for one in jobs] == [[1, 1], None, [3, 2], [4, 1]]
    assert [one.cost for one in jobs] == [1, 2, 6, 4]
    assert "ValueError: no 2" in json.dumps(jobs[1].attempts)
    assert [len(one.attempts) for one in jobs] == [0, 1, 1, 0]


def test_a_payload_or_an_output_that_does_not_fit_fails_its_own_job_only(running: Running, jobs: Jobs) -> None:
    jobs.use(ECHO + task("each"))
    ids = sent([{"n": 1}, {"n": 2, "do": "unfit"}, {"n": 3, "do": "complete"}, {"n": 4}, {"n": 5}])
    change(jobs.conn, ids[3], """message = jsonb_set(message, '{kwargs,n}', '"x"')""")
    with running(ECHO + task("each")):
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


@pytest.mark.usefixtures("worker")
@cases(
    "name do words",
    ("once", "misplace", "expected the place of a job from 0 to 1, got -1"),
    ("once", "leave out", "expected a list of 2 outputs, or None, got a list of 1"),
    ("once", "nest", "expected one open transaction in a chunk at a time"),
    ("slow", "return", "it ran longer than its timeout of 0.3 s"),
)
def test_a_mistake_and_a_timeout_fail_all(name: str, do: str, words: str) -> None:
    jobs = all_ended(sent([{"n": 1}, {"n": 2, "do": do}], name))
    costs = [None, None] if name == "slow" else [1, 2]
    assert [(one.status, one.cost) for one in jobs] == [("failed", cost) for cost in costs]
    assert all(words in json.dumps(one.attempts) for one in jobs)


def test_a_chunk_has_one_thread_and_stops_with_its_last_job(running: Running, jobs: Jobs, monkeypatch: Patch) -> None:
    me, looks = threading.get_ident(), list[Any]()

    def look(one: interrupts.Running) -> bool:
        looks.extend([one] if threading.get_ident() == me else [])  # The heartbeat's thread does not count.
        return False

    with running(ECHO + task("gated", "{size: 3, wait: 0s}"), threads=2) as broker:
        held = broker.process.held
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS == ["started"])
        assert held.free() == 1
        broker.process.mark_started(jobs.conn, 0.0)
        assert all(zeke_jobs.status(one).started_on for one in ids)
        with monkeypatch.context() as patched:
            patched.setattr(interrupts.Running, "tick", look)
            broker.process.tick()
        assert len(looks) == 1, "the handler is looked at once a tick"
        assert zeke_jobs.wait(zeke_jobs.send("echo", {"n": 7}).id, timeout=20)["n"] == 7
        zeke_jobs.cancel(ids[1])
        eventually(lambda: any(claim.cancelled for claim in held.all()))
        GATE.set()
        assert [ended(one).output for one in (ids[0], ids[2])] == [0, 2]
        eventually(lambda: zeke_jobs.status(ids[1]).status == "cancelled")
        children = {row["parent"] for row in jobs.rows("SELECT parent FROM zeke_jobs.queue WHERE parent IS NOT NULL")}
        assert (CALLS, children) == (["started", [False, True, False]], {ids[0], ids[2]})
        eventually(lambda: (held.free(), held.waiting(), len(held)) == (2, 0, 0))
        GATE.clear()
        ids = sent([{"n": n} for n in range(3)])
        eventually(lambda: CALLS[2:] == ["started"])
        for one in ids:
            zeke_jobs.cancel(one)
        eventually(lambda: [zeke_jobs.status(one).status for one in ids] == ["cancelled"] * 3)


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


class Chunks:
    """``claim`` sets the clock to ``seconds`` after noon, and claims jobs for a worker, by default a new one."""

    def __init__(self, jobs: Jobs, chunk: str, more: str = "", top: str = "") -> None:
        self.jobs = jobs
        jobs.use(f"  a: {{handler: 'H:echo_all', chunk: {chunk}{more}}}", top)
        jobs.at()

    def claim(self, seconds: float, worker: UUID | None = None, *, want: int = 1, **how: Any) -> list[dict[str, Any]]:
        self.jobs.at(seconds)
        rows = self.jobs.look(worker or self.jobs.worker(), want, revision=1, is_empty=True, **how)
        self.held = [(row["reason"], row["wait"]) for row in rows if row["kind"] == "held"]
        return [row for row in rows if row["kind"] == "job"]


def test_a_chunk_waits_for_company_up_to_its_wait_and_a_full_one_for_nothing(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 50, wait: 2s}")
    jobs.add("a", 12)
    assert chunks.claim(0.5) == []
    assert chunks.held == [("company", 1.5)]
    jobs.add("a", 37)
    assert chunks.claim(1.9) == []
    assert len(chunks.claim(2.0)) == 49
    jobs.add("a", 60)
    assert len(chunks.claim(2.0)) == 50
    assert chunks.claim(2.1) == []
    assert chunks.held == [("company", pytest.approx(1.9))]


def test_a_chunk_takes_one_thread_and_its_jobs_have_the_time_of_their_claim_in_common(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 5, wait: 0s}")
    jobs.add("a", 8)
    assert len(chunks.claim(0, want=1, free=1)) == 5
    assert chunks.claim(0, want=8, free=0) == [], "no chunk waits for a thread"
    assert chunks.held == [("thread", None)]
    rest = chunks.claim(0, want=8)
    assert len(rest) == 3
    assert len({row["claimed_on"] for row in rest}) == 1
    assert {row["reason"] for row in rest} == {"chunk"}


def test_a_chunk_counts_as_one_for_concurrency_its_own_and_a_shared_one(jobs: Jobs) -> None:
    task = "  a: {handler: 'H:echo_all', chunk: {size: 4, wait: 0s}, concurrency: 2, uses: [ai]}"
    jobs.use(f"{task}\n  b: {{handler: 'H:echo', uses: [ai]}}", "limits: {ai: {concurrency: 3}}")
    jobs.add("a", 20)
    jobs.add("b", 20)
    first, second = jobs.worker(), jobs.worker()
    assert len(jobs.claim(first, 1, tasks=["a"])) == 4
    one = jobs.claim(second, 5, tasks=["a"])
    assert len(one) == 4
    assert jobs.claim(jobs.worker(), 5, tasks=["a"]) == []
    assert len(jobs.claim(jobs.worker(), 5, tasks=["b"])) == 1, "two chunks and one job fill the shared limit"
    jobs.complete(second, one[:3])
    assert jobs.claim(jobs.worker(), 5, tasks=["a"]) == [], "a chunk is active while one of its jobs is"
    jobs.complete(second, one[3:])
    assert len(jobs.claim(jobs.worker(), 5, tasks=["a"])) == 4


def test_jobs_claimed_before_a_chunk_and_jobs_of_old_processes_count_one_by_one(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 4}")
    jobs.add("a", 20)
    assert len(jobs.claim(jobs.worker(), 2)) == 2
    jobs.use("  a: {handler: 'H:echo_all', concurrency: 4, chunk: {size: 5, wait: 0s}}")
    assert [row["kind"] for row in jobs.look(jobs.worker(), 8, revision=1)] == ["job", "job", "held"]
    assert jobs.look(jobs.worker(), 8, revision=2)[0]["reason"] == "concurrency"


def test_a_rate_counts_the_jobs_of_chunks_and_no_window_has_more(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 50, wait: 1s}", ", rate: 600/m")
    jobs.add("a", 1500)
    starts, seconds = [], 0.0
    while seconds < 130:
        claims = chunks.claim(seconds)
        starts += [seconds] * len(claims)
        seconds += 0.01 if claims else chunks.held[0][1]
    assert max(sum(begin <= one < begin + 60 for one in starts) for begin in starts) <= 600
    assert set(Counter(starts).values()) == {50}, "and chunks wait until all their jobs may start"
    assert len(starts) >= 1100


def test_units_count_the_jobs_of_a_chunk_and_a_chunk_is_no_larger_than_they_allow(jobs: Jobs) -> None:
    top = "limits: {ai: {tokens: {rate: 6000/m}}}"
    chunks = Chunks(jobs, "{size: 50, wait: 0s}", ", uses: [ai], units: {tokens: 200}", top)
    jobs.add("a", 50)
    assert len(chunks.claim(0)) == 30, "6000 tokens"
    assert chunks.claim(59) == []
    assert len(chunks.claim(61)) == 20


def test_by_key_a_chunk_never_mixes_keys_and_keys_take_turns(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 5, wait: 2s, by: key}")
    keys = [f"k{n}" for n in range(20)]
    chance = random.Random(3)
    zeke_jobs.send_many("a", [{}] * 300, keys=[chance.choice(keys) for _ in range(300)], connection=jobs.conn)
    jobs.add("a", 2)  # Jobs without a key run alone.
    found: list[set[str]] = []
    while claims := chunks.claim(1 + len(found) / 1000):
        found.append({jobs.row(row["message_id"])["key"] for row in claims})
        assert len(claims) == 5
    assert all(len(one) == 1 for one in found)
    assert len({key for one in found[:20] for key in one}) == 20, "keys take turns"
    assert chunks.held[0][0] == "company"
    left = chunks.jobs.rows("SELECT count(*) FROM zeke_jobs.queue WHERE state = 'queued'")[0]["count"]
    while claims := chunks.claim(3):
        left -= len(claims)
        assert len({jobs.row(row["message_id"])["key"] for row in claims}) == 1
    assert left == 0


def test_by_key_a_limit_per_key_counts_chunks_and_holds_back_no_other_key(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 5, wait: 2s, by: key}", ", concurrency: {per_key: 1}")
    jobs.add("a", 1200, options='{"key": "x"}')
    jobs.add("a", 3, options='{"key": "y"}')
    assert len(chunks.claim(1)) == 5
    assert chunks.claim(1) == []
    assert chunks.held == [("key", pytest.approx(1.0))]
    assert len(chunks.claim(2)) == 3
    assert chunks.claim(2) == []


def test_a_job_that_is_not_to_start_with_others_is_not_in_a_chunk(jobs: Jobs) -> None:
    chunks = Chunks(jobs, "{size: 5, wait: 0s}")
    ids = jobs.add("a", 5)
    suspect, expired, cancelled = ids[:3]
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", suspect)
    jobs.rows("UPDATE zeke_jobs.queue SET expires_on = %s WHERE message_id = %s", NOON, expired)
    jobs.rows("SELECT zeke_jobs.change_jobs('cancel', jsonb_build_object('id', %s::text))", cancelled)
    assert [row["message_id"] for row in chunks.claim(1, jobs.me)] == [suspect], "alone, in an empty process"
    assert {row["message_id"] for row in chunks.claim(1)} == set(ids[3:])
