"""The keys of a task take turns while more jobs are due than may start, and waiting jobs rise in rank."""

import json
import os
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.worker.big_table import WORKER, BigTable
from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.testing import set_clock

SHARED = "  a: {handler: 'H:echo', share: key}"
WEIGHTS = {"x": 3, "y": 2}
WEIGHED = "  a: {handler: 'H:echo', share: {by: key, weights: {x: 3, y: 2}}}"


def send(jobs: Jobs, key: str, count: int = 1, **options: Any) -> None:
    jobs.add("a", count, options=json.dumps({"key": key, **options}))


def keys(jobs: Jobs, claims: list[dict[str, Any]]) -> list[str]:
    ids = [claim["message_id"] for claim in claims]
    return [row["key"] for row in jobs.rows("SELECT key FROM zeke_jobs.queue WHERE message_id = ANY (%s)", ids)]


def taken(jobs: Jobs, want: int) -> list[str]:
    return keys(jobs, jobs.end(want=want))


@pytest.mark.parametrize("want", [1, 5])
def test_keys_start_in_the_proportion_of_their_weights_however_many_a_claim_takes(jobs: Jobs, want: int) -> None:
    jobs.use(WEIGHED)
    for key in ("x", "y", "z"):
        send(jobs, key, 80)
    started = Counter(key for _ in range(120 // want) for key in taken(jobs, want))
    rounds = started.total() / 6
    assert all(abs(started[key] - rounds * WEIGHTS.get(key, 1)) <= WEIGHTS.get(key, 1) for key in "xyz"), started


@pytest.mark.parametrize("seed", range(60 if os.environ.get("ZEKE_TEST_DEEP") else 1))
def test_no_key_with_a_due_job_waits_for_more_than_one_turn_of_each_other_key(
    conn: Connection, jobs: Jobs, seed: int
) -> None:
    """Jobs are sent, retried, deferred and handed back, and processes die."""
    chance, now = Random(seed), NOON
    jobs.use(WEIGHED)
    workers = [jobs.worker(), jobs.worker()]
    held: list[tuple[UUID, dict[str, Any]]] = []
    others_since: dict[str, Counter[str]] = {}
    due = """SELECT DISTINCT key FROM zeke_jobs.queue
        WHERE state = 'queued' AND task = 'a' AND deaths < 2 AND run_at <= zeke_jobs.now()"""
    for _ in range(120):
        now += timedelta(seconds=1)
        set_clock(conn, now)
        for _ in range(chance.choice([0, 1, 1, 2])):
            send(jobs, chance.choice("xyzw"), chance.choice([1, 3, 12]), delay=chance.choice([0, 0, 0, 2]))
        for worker, claim in [one for one in held if chance.random() < 0.6]:
            held.remove((worker, claim))
            outcome = chance.choice(["completed", "retry", "deferred", "returned"])
            if outcome == "completed":
                jobs.complete(worker, [claim])
            else:
                jobs.finish(worker, claim, outcome, delay=float(chance.choice([0, 3])))
        if chance.random() < 0.05:
            lost = workers.pop(0)
            jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '1 hour' WHERE id = %s", lost)
            jobs.rows("SELECT count(*) FROM zeke_jobs.rescue()")
            held = [one for one in held if one[0] != lost]
            jobs.rows("UPDATE zeke_jobs.queue SET deaths = 0 WHERE deaths > 0")
            workers.append(jobs.worker())
        waiting = {row["key"] for row in jobs.rows(due)}
        others_since = {key: others_since.get(key, Counter()) for key in waiting}
        worker, want = chance.choice(workers), chance.randint(1, 6)
        claims = jobs.claim(worker, want, is_empty=False)
        started = Counter(keys(jobs, claims))
        held += [(worker, claim) for claim in claims]
        for key, others in others_since.items():
            if started[key]:
                others.clear()
            else:
                others.update(started)
                assert all(number <= WEIGHTS.get(other, 1) for other, number in others.items()), (key, others)
    assert jobs.rows("SELECT count(*) AS n FROM zeke_jobs.queue WHERE state = 'done'")[0]["n"] > 50


def test_a_claim_reads_as_little_among_thousands_of_keys_as_without_shares(jobs: Jobs) -> None:
    big = BigTable(jobs)
    jobs.rows("UPDATE zeke_jobs.queue SET key = 'key-' || seq WHERE task = 'bulk' AND state = 'queued'")
    without = big.measure(lambda: jobs.look(WORKER, 8, ["bulk"]))
    jobs.rows(
        """UPDATE zeke_jobs.task SET share = '{"by": "key", "weights": {}}', limits = '{task/bulk}' WHERE id = 'bulk'"""
    )
    jobs.rows("INSERT INTO zeke_jobs.bucket (name, tasks) VALUES ('task/bulk', '{bulk}')")
    shared = big.measure(lambda: jobs.look(WORKER, 8, ["bulk"]))
    assert shared.seq_scans == 0
    assert shared.entries < without.entries + 40


def test_jobs_without_a_key_are_one_key_and_those_sent_before_take_turns_too(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    jobs.add("a", 20)
    send(jobs, "x", 20)
    jobs.use(SHARED)
    jobs.add("a", 20)
    assert Counter(taken(jobs, 8)) == {"-": 4, "x": 4}


def test_beside_hundreds_of_keys_without_a_due_job_each_claim_is_full_and_a_turn_comes_later(jobs: Jobs) -> None:
    jobs.use(SHARED)
    zeke_jobs.send_many("a", [{}] * 450, keys=[f"n{n}" for n in range(450)], delay=3600, connection=jobs.conn)
    send(jobs, "large", 300)
    send(jobs, "zzz", 3)
    started = [taken(jobs, 4) for _ in range(16)]
    assert {len(one) for one in started} == {4}
    assert sum(one.count("zzz") for one in started) == 3


def test_a_priority_goes_before_a_share(jobs: Jobs) -> None:
    jobs.use(SHARED)
    send(jobs, "x", 10, priority=2)
    send(jobs, "y", 10)
    assert Counter(taken(jobs, 12)) == {"x": 10, "y": 2}


@pytest.mark.parametrize(("minutes", "first"), [(19, "new"), (31, "old")])
@pytest.mark.parametrize("other", ["a", "b"])
def test_a_waiting_job_rises_by_one_priority_after_each_time_and_so_passes_other_tasks_too(
    conn: Connection, jobs: Jobs, minutes: int, first: str, other: str
) -> None:
    jobs.use("  a: {handler: 'H:echo', age: 10m}\n  b: {handler: 'H:echo'}")
    jobs.at()
    (old,) = jobs.add("a")
    jobs.at(60 * minutes)
    (new,) = jobs.add(other, options='{"priority": 2}')
    (claim,) = jobs.claim(jobs.worker(), 1)
    assert claim["message_id"] == {"old": old, "new": new}[first]
