"""These tests of claiming and ending jobs cover what ``test_states`` omits: turns of tasks, many keys, other sessions."""

from collections import Counter
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import cases
from tests.zeke_jobs.worker.big_table import WORKER, BigTable
from tests.zeke_jobs.worker.conftest import NOON, Jobs, at_once
from zeke_jobs.postgres.pool import transaction


def test_a_claim_takes_jobs_of_its_queue_and_tasks_in_turns_with_and_without_a_key(jobs: Jobs) -> None:
    jobs.use("".join(f"  {task}: {{handler: 'H:echo', priority: {task != 'low':d}}}\n" for task in ("a", "b", "low")))
    for task in ("a", "b", "low"):
        jobs.add(task, 100)
    assert Counter(c["task"] for c in jobs.claim(jobs.me, 32)) == {"a": 16, "b": 16}
    assert Counter(c["task"] for c in jobs.claim(jobs.me, 180)) == {"a": 84, "b": 84, "low": 12}
    tasks = "  b: {handler: 'H:echo'}\n  c: {handler: 'H:echo', queue: slow}\n  a: {handler: 'H:echo'}"
    jobs.rows("DELETE FROM zeke_jobs.queue")
    jobs.use(tasks)
    for task in "abc":
        jobs.add(task, 2)
    assert [c["task"] for c in jobs.claim(jobs.me, 10, tasks=["b", "c"])] == ["b", "b"]
    slow = jobs.look(jobs.me, 10, queue="slow", revision=7)
    assert [(one["task"], jobs.row(one["message_id"])["revision"]) for one in slow] == [("c", 7), ("c", 7)]
    jobs.use(tasks.replace("  a: {", "  a: {concurrency: {per_key: 1}, "))
    assert len(jobs.claim(jobs.me, 5, ["a"])) == 2, "jobs from before have no key"
    for key in "xyy":
        jobs.add("a", options=f'{{"key": "{key}"}}')
    assert [row["reason"] for row in jobs.look(jobs.me, 8, ["a"])] == ["key", None, None]
    jobs.rows("UPDATE zeke_jobs.queue SET key = 'z' WHERE state = 'queued'")
    assert [row["kind"] for row in jobs.look(jobs.me, 8, ["a"])] == ["job"], "no key holds a job back any more"


def test_a_look_that_finds_the_limits_full_waits_for_no_other_claim(jobs: Jobs, other_conn: Connection) -> None:
    tasks = "  a: {handler: 'H:echo', concurrency: 1}\n  b: {handler: 'H:echo', uses: [few]}"
    jobs.use(tasks, "limits: {few: {concurrency: 1}}")
    jobs.add("a", 2)
    jobs.add("b", 2)
    assert len(jobs.claim(jobs.me, 4)) == 2
    jobs.rows("SET lock_timeout = '1s'")
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT FROM zeke_jobs.bucket FOR UPDATE")
        held = jobs.look(jobs.me, 4)
    found = {(one["task"], one["held_by"], one["reason"]) for one in held}
    assert found == {("a", "task/a", "concurrency"), ("b", "limit/few", "concurrency")}


def insert(jobs: Jobs, task: str, count: int, **columns: str) -> None:
    """Insert jobs without the checks of a send; ``columns`` are SQL expressions, in which ``n`` is the job's number."""
    row = {"message_id": "zeke_jobs.new_id()", "queue_name": "'default'", "message": "'{}'", "task": f"'{task}'"}
    row |= {"revision": "1", **columns}
    select = f"SELECT {', '.join(row.values())} FROM generate_series(1, {count}) AS n"
    jobs.rows(f"INSERT INTO zeke_jobs.queue ({', '.join(row)}) {select}")


def test_keys_take_turns(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: {limit: 20, per_key: 20}}")
    for key in ("x.org", "y.org", "z.org"):
        jobs.add("a", 20, options=f'{{"key": "{key}"}}')
    assert len({jobs.row(jobs.claim(jobs.me, 1)[0]["message_id"])["key"] for _ in range(20)}) == 3


def test_past_thousands_of_jobs_whose_key_is_full_a_claim_reads_few_other_keys(jobs: Jobs) -> None:
    table = BigTable(jobs)
    jobs.use("  one: {handler: 'H:echo', concurrency: {per_key: 2}}")
    table.claim("one")  # PostgreSQL keeps the plan that it makes before the first job exists.
    insert(jobs, "one", 9000, key="CASE WHEN n < 6000 THEN 'full' ELSE 'k' || n END")
    assert len(jobs.claim(WORKER, 2, ["one"])) == 2
    urgent = [jobs.add("one", options=f'{{"key": "{key}", "priority": 3}}')[0] for key in ("k7000", "new")]
    assert {claim["message_id"] for claim in jobs.claim(WORKER, 2, ["one"])} == set(urgent), "a higher priority first"
    for most, count in ((300, 4), (3000, 64)):
        found: list[Any] = []
        assert table.measure(lambda: found.extend(jobs.claim(WORKER, count, ["one"]))).entries < most  # noqa: B023
        assert len(found) == count


@pytest.mark.parametrize("delay", [0, 3600])
def test_a_worker_looks_at_a_thousand_priorities_of_a_task(jobs: Jobs, delay: int) -> None:
    big = BigTable(jobs)
    insert(jobs, "bulk", 1500, priority="n", run_at=f"zeke_jobs.now() + interval '{delay} s'")
    looked = big.measure(lambda: jobs.look(WORKER, 8, ["bulk"]))
    asked = big.measure(lambda: jobs.rows("SELECT zeke_jobs.next_due('default', ARRAY['bulk'])"))
    assert (looked.seq_scans, asked.seq_scans) == (0, 0)
    assert 1000 <= looked.entries < 1500
    assert asked.entries < 2500, "one for the priority, and one for its next job"
    insert(jobs, "another ' || n || '", 500, run_at="timestamptz '-infinity'")
    assert big.measure(lambda: jobs.look(WORKER, 0, ["shared"])).entries < 100, "none of tasks that it does not serve"
    claims = jobs.claim(WORKER, 8)
    assert [jobs.row(c["message_id"])["priority"] for c in claims] == ([] if delay else list(range(1500, 1492, -1)))


def test_a_search_that_began_in_the_middle_of_the_keys_soon_goes_on_with_the_first(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: {per_key: 1}}")
    jobs.add("a", 300, options='{"key": "full"}')
    first, _ = jobs.add("a", 2, options='{"key": "first"}')
    assert len(jobs.claim(jobs.me, 1)) == 1
    jobs.rows("UPDATE zeke_jobs.bucket SET key_cursor = 'm' WHERE name = 'task/a'")
    (held,) = jobs.look(jobs.me, 1)
    assert (held["reason"], held["wait"]) == ("key", pytest.approx(0.05, abs=0.01))
    assert [claim["message_id"] for claim in jobs.claim(jobs.me, 1)] == [first]
    jobs.look(jobs.me, 1)
    (held,) = jobs.look(jobs.me, 1)
    assert (held["reason"], held["wait"]) == ("key", None), "all keys were looked at"


@cases(
    "tasks top",
    ("  a: {handler: 'H:echo', concurrency: 5}", ""),
    ("  a: {handler: 'H:echo', uses: [p]}\n  b: {handler: 'H:echo', uses: [p]}", "limits: {p: {concurrency: 5}}"),
    ("  a: {handler: 'H:echo', concurrency: {per_key: 5}}", ""),
)
def test_claims_at_the_same_moment_never_exceed_a_limit_and_the_recorded_times_show_it(
    database: str, jobs: Jobs, tasks: str, top: str
) -> None:
    jobs.use(tasks, top)
    names = [row["id"] for row in jobs.rows("SELECT id FROM zeke_jobs.task")]
    for name in names:
        jobs.add(name, 200 // len(names), options='{"key": "k"}')

    def hammer(mine: Jobs, _: int) -> tuple[int, int]:
        done = most = 0
        worker = mine.worker()
        while mine.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done' LIMIT 1"):
            taken = mine.claim(worker, 3, tasks=names)
            active = mine.rows("SELECT count(*) AS n FROM zeke_jobs.queue WHERE state = 'consumed'")
            most = max(most, active[0]["n"])
            done += len(mine.complete(worker, taken))
        return done, most

    found = at_once(database, 6, hammer)
    assert sum(done for done, _ in found) == 200
    assert max(most for _, most in found) <= 5
    ran = jobs.rows("SELECT claimed_on, completed_on FROM zeke_jobs.queue")
    assert max(sum(one["claimed_on"] <= at["claimed_on"] < one["completed_on"] for one in ran) for at in ran) <= 5


def test_two_processes_share_a_limit_by_their_threads_even_while_jobs_are_short(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 16}\n  free: {handler: 'H:echo'}")
    jobs.add("a", 60)
    busy, other = jobs.worker(), jobs.worker()
    first = jobs.look(busy, 100, free=8, ahead=2)
    assert [row["kind"] for row in first] == ["job"] * 10 + ["held"], "two wait for a thread"
    assert first[-1]["reason"] == "thread"
    jobs.complete(busy, first[:1])
    assert [row["reason"] for row in jobs.look(busy, 100, free=-2, ahead=2)] == ["thread"]
    assert len(jobs.claim(other, 8)) == 7
    jobs.add("free", 60)
    assert [row["task"] for row in jobs.look(busy, 50, free=-1) if row["kind"] == "job"] == ["free"] * 50


def test_the_room_for_jobs_that_must_run_alone_is_counted_once_for_each_task(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1}\n  b: {handler: 'H:echo'}")
    jobs.add("a")
    jobs.claim(jobs.me, 1)
    jobs.add("a", 50)
    jobs.add("b")
    jobs.rows("UPDATE zeke_jobs.queue SET deaths = 2 WHERE state = 'queued' AND task = 'a'")
    with transaction(jobs.conn):
        jobs.rows("SET LOCAL track_functions TO 'all'")
        assert [row["task"] for row in jobs.look(jobs.me, 8) if row["kind"] == "job"] == ["b"]
        calls = "SELECT pg_stat_get_xact_function_calls('zeke_jobs.room(text[], timestamptz)'::regprocedure) AS n"
        assert jobs.rows(calls)[0]["n"] < 10


ONE = "  a: {handler: 'H:echo', retry: {limit: 2}}"


def test_a_fence_that_completes_is_the_end_and_a_cancelled_job_passes_none(jobs: Jobs) -> None:
    jobs.use(ONE)
    first, cancelled = jobs.add("a", 2)
    claims = jobs.claim(jobs.me, 2)
    zeke_jobs.cancel(cancelled, "no")
    assert [jobs.fence(jobs.me, job, 1, result="1") for job in (first, first, cancelled)] == [True, False, False]
    jobs.complete(jobs.me, claims, '"late"')
    assert (jobs.row(first)["state"], jobs.row(first)["result"]) == ("done", 1)
    row = jobs.row(cancelled)
    assert (row["state"], row["result"], row["cancel_reason"]) == ("rejected", None, "no")


def test_the_history_of_a_job_that_is_deferred_for_ever_stays_small(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.at(3600)
    (job,) = jobs.add("a")
    for n in range(105):
        (claim,) = jobs.claim(jobs.me, 1)
        jobs.finish(jobs.me, claim, "deferred", until=NOON, reason=str(n))
    row = jobs.row(job)
    assert (len(row["attempts"]), row["attempts"][-1]["reason"]) == (100, "104")
    assert (row["run_at"], row["waiting_for"]) == (NOON, "104")


@pytest.mark.parametrize("many", [False, True], ids=["send", "send many"])
def test_an_end_waits_for_no_sender_of_the_jobs_successor(jobs: Jobs, other_conn: Connection, many: bool) -> None:
    jobs.use(ONE)
    ended = [*jobs.add("a", options='{"unique": true}'), *jobs.add("a", payload='{"n": 1}', options='{"unique": true}')]
    claims = jobs.claim(jobs.me, 2)
    sender = Jobs(other_conn)
    sender.rows("BEGIN")
    if many:
        zeke_jobs.send_many("a", [{}, {"n": 1}], unique=True, connection=other_conn)
    else:
        sender.add("a", options='{"unique": true}')
        sender.add("a", payload='{"n": 1}', options='{"unique": true}')
    jobs.rows("SET lock_timeout = '1s'")
    assert jobs.complete(jobs.me, claims[:1]) == [claims[0]["message_id"]]
    assert jobs.finish(jobs.me, claims[1], "retry", reason="no luck")
    sender.rows("COMMIT")
    states = jobs.rows("SELECT state FROM zeke_jobs.queue WHERE message_id <> ALL (%s::uuid[])", ended)
    assert [row["state"] for row in states] == ["queued", "queued"]
