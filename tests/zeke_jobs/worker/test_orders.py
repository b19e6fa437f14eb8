"""Keys take turns in proportion to their weights, a key's jobs run in strict order, and long-waiting jobs overtake others."""

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
from tests.zeke_jobs.worker.conftest import NOON, Jobs, jobs_of
from zeke_jobs.diagnosis import why
from zeke_jobs.postgres.queries import SQL
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
def test_no_key_waits_for_more_than_one_turn_of_each_other_key(conn: Connection, jobs: Jobs, seed: int) -> None:
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
    share = """share = '{"by": "key", "weights": {}}', limits = '{task/bulk}'"""
    jobs.rows(f"UPDATE zeke_jobs.task SET {share} WHERE id = 'bulk'")
    jobs.rows("INSERT INTO zeke_jobs.bucket (name, tasks) VALUES ('task/bulk', '{bulk}')")
    shared = big.measure(lambda: jobs.look(WORKER, 8, ["bulk"]))
    assert shared.seq_scans == 0
    assert shared.entries < without.entries + 40


def test_beside_hundreds_of_keys_without_a_due_job_each_claim_is_full_and_a_turn_comes_later(jobs: Jobs) -> None:
    jobs.use(SHARED)
    zeke_jobs.send_many("a", [{}] * 450, keys=[f"n{n}" for n in range(450)], delay=3600, connection=jobs.conn)
    send(jobs, "large", 300)
    send(jobs, "zzz", 3)
    started = [taken(jobs, 4) for _ in range(16)]
    assert {len(one) for one in started} == {4}
    assert sum(one.count("zzz") for one in started) == 3


def test_jobs_without_a_key_are_one_key_those_sent_before_take_turns_too_and_a_priority_goes_first(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    jobs.add("a", 20)
    send(jobs, "x", 20)
    jobs.use(SHARED)
    jobs.add("a", 20)
    send(jobs, "y", 6, priority=2)
    assert Counter(taken(jobs, 12)) == {"-": 3, "x": 3, "y": 6}


@pytest.mark.parametrize(("minutes", "first"), [(19, "new"), (31, "old")])
@pytest.mark.parametrize("other", ["a", "b"])
def test_a_waiting_job_rises_past_others(conn: Connection, jobs: Jobs, minutes: int, first: str, other: str) -> None:
    jobs.use("  a: {handler: 'H:echo', age: 10m}\n  b: {handler: 'H:echo'}")
    jobs.at()
    (old,) = jobs.add("a")
    jobs.at(60 * minutes)
    (new,) = jobs.add(other, options='{"priority": 2}')
    (claim,) = jobs.claim(jobs.worker(), 1)
    assert claim["message_id"] == {"old": old, "new": new}[first]


LINES = """
  hold: {handler: 'H:echo', order: strict, retry: {limit: 9}}
  skip: {handler: 'H:echo', order: strict, after_failure: skip, retry: {limit: 9}}
  later: {handler: 'H:echo', concurrency: {per_key: 1}}
"""


jobs = jobs_of(LINES)


def in_line(task: str, *keys: str, **options: Any) -> list[UUID]:
    return [zeke_jobs.send(task, {"n": n}, key=key, **options).id for n, key in enumerate(keys)]


def claimed(jobs: Jobs, want: int = 10) -> dict[UUID, dict[str, Any]]:
    return {row["message_id"]: row for row in jobs.claim(jobs.me, want)}


def test_each_keys_oldest_job_runs_alone_at_any_priority_or_retry_and_a_failed_one_may_be_skipped(jobs: Jobs) -> None:
    ids = in_line("hold", "a", "a", "b", "a")
    without = {zeke_jobs.send("hold").id for _ in range(2)}
    first = claimed(jobs)
    assert set(first) == {ids[0], ids[2], *without}, "jobs without a key are in no line"
    assert claimed(jobs) == {}
    jobs.complete(jobs.me, [first[ids[0]]])
    assert set(claimed(jobs)) == {ids[1]}
    failed, second = in_line("skip", "a", "a")
    jobs.finish(jobs.me, claimed(jobs)[failed], "failed")
    assert set(claimed(jobs)) == {second}
    assert not zeke_jobs.cancel(failed).changed
    (late,) = in_line("hold", "c", delay=60)
    (second,) = in_line("hold", "c", priority=50)
    assert claimed(jobs) == {}
    jobs.at(61)
    found = claimed(jobs)
    assert set(found) == {late}
    jobs.finish(jobs.me, found[late], "retry", delay=60.0)
    assert claimed(jobs) == {}
    jobs.at(122)
    again = claimed(jobs)
    assert set(again) == {late}
    jobs.complete(jobs.me, list(again.values()))
    assert set(claimed(jobs)) == {second}


@pytest.mark.parametrize("release", [zeke_jobs.retry, zeke_jobs.cancel])
def test_a_failed_job_holds_its_key_until_a_retry_or_cancel_as_why_says(jobs: Jobs, release: Any, heard: Any) -> None:
    first, second = in_line("hold", "a", "a")

    def after() -> str:
        (found,) = [one for one in why.why(jobs.conn, second).reasons if one.kind == "after"]
        return f"{found.sentence} {found.help}"

    claim = claimed(jobs)[first]
    assert f"hold {first}, which was sent earlier, is active" in after()
    jobs.rows("UPDATE zeke_jobs.queue SET started_on = zeke_jobs.now() WHERE message_id = %s", first)
    jobs.finish(jobs.me, claim, "failed")
    assert f"hold {first}, which was sent earlier, failed" in after()
    assert f"zeke-jobs cancel {first}" in after()
    assert claimed(jobs) == {}
    jobs.rows("UPDATE zeke_jobs.worker SET idle = '{default}' WHERE id = %s", jobs.me)
    heard()
    released = release(first)
    assert (released.changed, set(heard())) == (True, {"default"})
    assert "before it started" not in released.note
    found = claimed(jobs)
    assert set(found) == ({first} if release is zeke_jobs.retry else {second})
    assert zeke_jobs.status(first).status == ("active" if release is zeke_jobs.retry else "cancelled")
    first, second = in_line("hold", "b", "b", delay=60)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", second)
    heard()
    zeke_jobs.cancel(first)
    assert (set(heard()), set(claimed(jobs))) == ({"default"}, {second})


def test_a_suspect_that_is_not_the_oldest_waits_its_turn(jobs: Jobs) -> None:
    first, second = in_line("hold", "a", "a")
    claimed(jobs)
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE message_id = %s", second)
    jobs.at(21)
    SQL.all(jobs.conn, "worker/rescue")
    assert [row["message_id"] for row in jobs.claim(jobs.worker(), 8)] == [first]
    assert jobs.claim(jobs.worker(), 8, is_empty=True) == []


def test_a_task_that_gets_an_order_puts_its_jobs_in_line_and_one_that_loses_it_takes_them_out(jobs: Jobs) -> None:
    _, second = in_line("later", "a", "a", delay=60)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE message_id = %s", second)
    jobs.use("  later: {handler: 'H:echo', order: strict}")
    assert claimed(jobs) == {}
    jobs.use("  later: {handler: 'H:echo', concurrency: {per_key: 1}}")
    assert set(claimed(jobs)) == {second}


def test_a_task_that_gets_keys_gives_them_to_its_queued_jobs_alone(jobs: Jobs) -> None:
    jobs.use("  later: {handler: 'H:echo'}")
    jobs.add("later", 3)
    failed, active = jobs.claim(jobs.me, 2)
    jobs.finish(jobs.me, failed, "failed")
    where = "SELECT message_id, ctid::text, key FROM zeke_jobs.queue WHERE state <> 'queued' ORDER BY seq"
    before = jobs.rows(where)
    assert [row["message_id"] for row in before] == [failed["message_id"], active["message_id"]]
    jobs.use("  later: {handler: 'H:echo', concurrency: {per_key: 1}}")
    assert jobs.rows(where) == before, "rows that have no use for a key are not written again"
    assert jobs.rows("SELECT 1 FROM zeke_jobs.queue WHERE state = 'queued' AND key IS NULL") == []


def test_a_claim_reads_little_where_one_key_has_many_jobs(jobs: Jobs) -> None:
    zeke_jobs.send_many("hold", [{}] * 1000, key="a")
    (last,) = in_line("hold", "b")
    jobs.rows("ANALYZE zeke_jobs.queue")
    assert last in claimed(jobs, 5)
