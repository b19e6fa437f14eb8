"""Workers claim jobs of tasks with ``chunk``; the clock stands still."""

import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

import zeke_jobs
from tests.zeke_jobs.worker.conftest import NOON, Jobs, at_once


class Chunks:
    """Each claim is made at given seconds after noon, by a new worker unless the test names a worker."""

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
    top = "limits: {ai: {concurrency: 3}}"
    jobs.use(
        "  a: {handler: 'H:echo_all', chunk: {size: 4, wait: 0s}, concurrency: 2, uses: [ai]}\n"
        "  b: {handler: 'H:echo', uses: [ai]}",
        top,
    )
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
    first = chunks.claim(1)
    assert len(first) == 5
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
    worker = jobs.worker()
    assert [row["message_id"] for row in chunks.claim(1, worker)] == [suspect], "alone, in an empty process"
    assert {row["message_id"] for row in chunks.claim(1)} == set(ids[3:])


def test_a_process_of_an_older_revision_gets_one_job_at_a_time(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 4}")
    jobs.add("a", 20)
    assert len(jobs.claim(jobs.worker(), 2)) == 2
    jobs.use("  a: {handler: 'H:echo_all', concurrency: 4, chunk: {size: 5, wait: 0s}}")
    old = jobs.worker()
    assert [row["kind"] for row in jobs.look(old, 8, revision=1)] == ["job", "job", "held"]
    assert jobs.look(jobs.worker(), 8, revision=2)[0]["reason"] == "concurrency"


def test_claims_at_the_same_moment_make_full_chunks_and_never_exceed_the_concurrency(jobs: Jobs, database: str) -> None:
    jobs.use("  a: {handler: 'H:echo_all', concurrency: 2, chunk: {size: 10, wait: 10s}}")
    jobs.add("a", 200)

    def work(own: Jobs, _: int) -> list[int]:
        sizes, worker = list[int](), own.worker()
        chunks = "SELECT count(DISTINCT (worker, claimed_on)) AS n FROM zeke_jobs.queue WHERE state = 'consumed'"
        for _ in range(100):
            claims = own.claim(worker, 4)
            assert own.rows(chunks)[0]["n"] <= 2
            sizes += Counter(row["claimed_on"] for row in claims).values()
            own.complete(worker, claims)
        return sizes

    sizes = [size for found in at_once(database, 4, work) for size in found]
    assert sizes == [10] * 20
