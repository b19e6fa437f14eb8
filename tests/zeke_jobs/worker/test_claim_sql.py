from __future__ import annotations

import itertools
import threading
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ONE = "  a: {handler: 'H:echo'}"
LIMITED = "  a: {handler: 'H:echo', concurrency: 3}"


def test_a_claim_takes_the_oldest_due_jobs_first(jobs: Jobs) -> None:
    jobs.use(ONE)
    ids = jobs.add("a", 5)
    assert {c["message_id"] for c in jobs.claim(jobs.worker(), 2)} == set(ids[:2])


def test_claimed_jobs_come_in_the_order_in_which_they_are_due_wherever_their_rows_lie(jobs: Jobs) -> None:
    jobs.use(ONE)
    ids = jobs.add("a", 5)
    for age, job in enumerate(ids):
        jobs.rows(
            "UPDATE zeke_jobs.queue SET run_at = run_at - %s * interval '1 minute' WHERE message_id = %s", age, job
        )
    jobs.rows("VACUUM zeke_jobs.queue")
    newer = jobs.add("a", 3)  # where the older rows lay
    assert [c["message_id"] for c in jobs.claim(jobs.worker(), 8)] == [*reversed(ids), *newer]


def test_a_claimed_job_is_not_claimed_again(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.add("a", 3)
    worker = jobs.worker()
    assert len(jobs.claim(worker, 10)) == 3
    assert jobs.claim(worker, 10) == []


def test_higher_priority_goes_first(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo', priority: 5}")
    low = jobs.add("a")
    high = jobs.add("b")
    higher = jobs.add("a", options='{"priority": 9}')
    worker = jobs.worker()
    assert [jobs.claim(worker, 1)[0]["message_id"] for _ in range(3)] == [*higher, *high, *low]


def test_tasks_of_equal_priority_take_turns(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}\n  c: {handler: 'H:echo'}")
    jobs.add("a", 100)
    jobs.add("b", 100)
    jobs.add("c", 2)
    taken = Counter(c["task"] for c in jobs.claim(jobs.worker(), 32))
    assert taken["c"] == 2
    assert abs(taken["a"] - taken["b"]) <= 2


def test_a_lower_priority_waits_until_a_higher_one_has_nothing_left(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', priority: 1}\n  b: {handler: 'H:echo', priority: 1}\n  c: {handler: 'H:echo'}")
    jobs.add("a", 30)
    jobs.add("b", 1)
    jobs.add("c", 30)
    assert Counter(c["task"] for c in jobs.claim(jobs.worker(), 20)) == {"a": 19, "b": 1}


def test_a_job_is_not_claimed_before_it_is_due(jobs: Jobs) -> None:
    jobs.use(ONE)
    set_clock(jobs.conn, NOON)
    jobs.add("a", options='{"delay": 60}')
    worker = jobs.worker()
    set_clock(jobs.conn, NOON + timedelta(seconds=59))
    assert jobs.claim(worker, 1) == []
    set_clock(jobs.conn, NOON + timedelta(seconds=60))
    assert len(jobs.claim(worker, 1)) == 1


def test_only_served_tasks_are_claimed(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo'}")
    jobs.add("a")
    jobs.add("b")
    assert [c["task"] for c in jobs.claim(jobs.worker(), 10, tasks=["b"])] == ["b"]


def test_another_queue_is_left_alone(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', queue: slow}")
    jobs.add("a")
    assert jobs.claim(jobs.worker(), 10) == []
    assert len(jobs.claim(jobs.worker(), 10, queue="slow")) == 1


@pytest.mark.parametrize("target", ["task/a", "queue/default", "limit/ai"])
def test_what_is_paused_is_not_claimed(jobs: Jobs, target: str) -> None:
    jobs.use("  a: {handler: 'H:echo', uses: [ai]}", top="limits: {ai: {concurrency: 5}}")
    jobs.add("a")
    jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'a test')", target)
    assert jobs.claim(jobs.worker(), 1) == []
    jobs.rows("DELETE FROM zeke_jobs.pause")
    assert len(jobs.claim(jobs.worker(), 1)) == 1


def test_a_limit_holds_over_all_workers(jobs: Jobs) -> None:
    jobs.use(LIMITED)
    jobs.add("a", 10)
    first, second = jobs.worker(), jobs.worker()
    taken = jobs.claim(first, 2)
    assert len(taken) == 2
    assert len(jobs.claim(second, 10)) == 1
    assert jobs.claim(first, 10) == []
    jobs.complete(first, taken[:1])
    assert len(jobs.claim(second, 10)) == 1


def test_a_limited_task_does_not_hold_up_the_others(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1, priority: 9}\n  b: {handler: 'H:echo'}")
    jobs.add("a", 10)
    jobs.add("b", 10)
    assert Counter(c["task"] for c in jobs.claim(jobs.worker(), 5)) == {"a": 1, "b": 4}


def test_a_shared_limit_counts_all_its_tasks(jobs: Jobs) -> None:
    jobs.use(
        "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo', uses: [ai], concurrency: 1}",
        top="limits: {ai: {concurrency: 4}}",
    )
    jobs.add("a", 10)
    jobs.add("b", 10)
    worker = jobs.worker()
    taken = jobs.claim(worker, 10)
    assert Counter(c["task"] for c in taken) == {"a": 3, "b": 1}
    assert jobs.claim(worker, 10) == []
    jobs.complete(worker, [c for c in taken if c["task"] == "b"])
    assert len(jobs.claim(worker, 10)) == 1


def test_a_rate_of_a_shared_limit_counts_all_its_tasks(jobs: Jobs) -> None:
    jobs.use(
        "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo', uses: [ai]}", top="limits: {ai: {rate: 5/h}}"
    )
    jobs.add("a", 10)
    jobs.add("b", 10)
    worker = jobs.worker()
    assert len(jobs.claim(worker, 20)) == 1
    assert [row["held_by"] for row in jobs.look(worker, 20)] == ["limit/ai"] * 2


def test_a_limit_per_key_holds_and_keys_take_turns(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: {limit: 20, per_key: 2}}")
    for key in ("x.org", "y.org", "z.org"):
        jobs.add("a", 10, options=f'{{"key": "{key}"}}')
    worker = jobs.worker()
    taken = jobs.claim(worker, 20)
    assert Counter(jobs.row(c["message_id"])["key"] for c in taken) == {"x.org": 2, "y.org": 2, "z.org": 2}
    jobs.complete(worker, [taken[0]])
    again = jobs.claim(worker, 20)
    assert [jobs.row(c["message_id"])["key"] for c in again] == [jobs.row(taken[0]["message_id"])["key"]]


def test_jobs_without_a_key_do_not_hold_each_other_up(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: {per_key: 1}}")
    jobs.add("a", 5)
    assert len(jobs.claim(jobs.worker(), 20)) == 5


KEYED = "  a: {handler: 'H:echo', concurrency: {per_key: 1}}\n  b: {handler: 'H:echo', priority: 1}"


def test_a_higher_priority_goes_first_between_keys_too(jobs: Jobs) -> None:
    jobs.use(KEYED)
    jobs.rows(
        "SELECT count(zeke_jobs.send('a', '{}', jsonb_build_object('key', 'key-' || n))) FROM generate_series(1, 3000) AS n"
    )
    urgent = jobs.add("a", options='{"key": "key-2000", "priority": 3}') + jobs.add(
        "a", options='{"key": "new", "priority": 3}'
    )
    assert {c["message_id"] for c in jobs.claim(jobs.worker(), 2)} == set(urgent)


def test_many_jobs_of_a_priority_are_found_among_more_keys_without_one(jobs: Jobs) -> None:
    jobs.use(KEYED)
    jobs.rows(
        "SELECT count(zeke_jobs.send('a', '{}', jsonb_build_object('key', k || n, 'priority', p)))"
        " FROM (VALUES ('a', 0, 1500), ('z', 3, 250)) AS s (k, p, most), generate_series(1, most) AS n"
    )
    worker = jobs.worker()
    for _ in range(3):
        taken = [jobs.row(c["message_id"]) for c in jobs.claim(worker, 5)]
        assert [row["priority"] for row in taken] == [3] * 5


def test_a_job_that_is_not_due_lifts_none_of_its_task(jobs: Jobs) -> None:
    jobs.use(KEYED)
    jobs.add("a", options='{"key": "k", "priority": 9, "delay": 60}')
    jobs.add("a", options='{"key": "l"}')
    (other,) = jobs.add("b")
    assert [c["message_id"] for c in jobs.claim(jobs.worker(), 1)] == [other]


def test_a_task_whose_higher_jobs_wait_for_their_key_goes_on_with_the_lower_ones(jobs: Jobs) -> None:
    jobs.use(KEYED)
    jobs.add("a", 2, options='{"key": "k", "priority": 9}')
    (low,) = jobs.add("a", options='{"key": "l"}')
    worker = jobs.worker()
    jobs.claim(worker, 1)
    assert [c["message_id"] for c in jobs.claim(worker, 5)] == [low]


def test_within_a_key_priority_and_age_decide(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: {per_key: 1}}")
    jobs.add("a", options='{"key": "k"}')
    urgent = jobs.add("a", options='{"key": "k", "priority": 3}')
    assert [c["message_id"] for c in jobs.claim(jobs.worker(), 5)] == urgent


@pytest.mark.parametrize(
    ("tasks", "top", "most"),
    [
        ("  a: {handler: 'H:echo', concurrency: 5}", "", 5),
        (
            "  a: {handler: 'H:echo', uses: [p]}\n  b: {handler: 'H:echo', uses: [p]}",
            "limits: {p: {concurrency: 5}}",
            5,
        ),
        ("  a: {handler: 'H:echo', concurrency: {per_key: 5}}", "", 5),
    ],
    ids=["task", "pool", "key"],
)
def test_claims_at_the_same_moment_never_exceed_a_limit(
    database: str, jobs: Jobs, tasks: str, top: str, most: int
) -> None:
    jobs.use(tasks, top)
    names = [row["id"] for row in jobs.rows("SELECT id FROM zeke_jobs.task")]
    for name in names:
        jobs.add(name, 200 // len(names), options='{"key": "k"}')
    exceeded: list[int] = []
    done: list[int] = []

    def hammer() -> None:
        with closing(connect(database)) as conn:
            mine = Jobs(conn)
            worker = mine.worker()
            while True:
                taken = mine.claim(worker, 3, tasks=names)
                active = mine.rows("SELECT count(*) AS n FROM zeke_jobs.queue WHERE state = 'consumed'")[0]["n"]
                if active > most:
                    exceeded.append(active)
                if taken:
                    done.append(len(mine.complete(worker, taken)))
                elif not mine.rows("SELECT 1 FROM zeke_jobs.queue WHERE state <> 'done' LIMIT 1"):
                    return

    threads = [threading.Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert exceeded == []
    assert sum(done) == 200


def test_the_times_of_claims_and_ends_never_overlap_beyond_the_limit(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1}")
    jobs.add("a", 20)
    worker = jobs.worker()
    while taken := jobs.claim(worker, 5):
        jobs.complete(worker, taken)
    spans = jobs.rows("SELECT claimed_on, completed_on FROM zeke_jobs.queue ORDER BY claimed_on")
    assert len(spans) == 20
    assert all(before["completed_on"] <= after["claimed_on"] for before, after in itertools.pairwise(spans))


def test_a_job_that_was_not_started_in_time_is_not_claimed_and_is_cancelled(conn: Connection, jobs: Jobs) -> None:
    jobs.use(ONE)
    set_clock(conn, NOON)
    (job,) = jobs.add("a", options='{"expires": 60}')
    set_clock(conn, NOON + timedelta(seconds=61))
    assert jobs.claim(jobs.worker(), 1) == []
    assert jobs.rows("SELECT zeke_jobs.expire(10) AS n")[0]["n"] == 1
    row = jobs.row(job)
    assert (row["state"], row["cancel_reason"]) == ("rejected", "expired: not started by 2026-03-10T12:01:00Z")


def test_a_blocked_task_does_not_use_up_the_turn_of_another(jobs: Jobs) -> None:
    blocked = "".join(f"  b{n}: {{handler: 'H:echo', concurrency: 1}}\n" for n in range(4))
    jobs.use(blocked + "  free: {handler: 'H:echo'}")
    for n in range(4):
        jobs.add(f"b{n}", 2)
    worker = jobs.worker()
    assert len(jobs.claim(worker, 8)) == 4
    jobs.add("free", 10)
    assert [len(jobs.claim(worker, 1)) for _ in range(10)] == [1] * 10


def test_room_that_one_task_could_not_use_goes_to_another_of_the_same_limit(jobs: Jobs) -> None:
    jobs.use(
        "  a: {handler: 'H:echo', uses: [p], concurrency: {per_key: 1}}\n  b: {handler: 'H:echo', uses: [p]}",
        top="limits: {p: {concurrency: 2}}",
    )
    jobs.add("a", 2, options='{"key": "k"}')
    worker = jobs.worker()
    assert len(jobs.claim(worker, 5)) == 1
    for _ in range(10):
        jobs.add("b")
        (claim,) = jobs.claim(worker, 5)
        assert claim["task"] == "b"
        jobs.complete(worker, [claim])


def test_a_job_that_started_in_time_may_be_retried_after_it_would_have_expired(conn: Connection, jobs: Jobs) -> None:
    jobs.use(ONE)
    set_clock(conn, NOON)
    (job,) = jobs.add("a", options='{"expires": 60}')
    worker = jobs.worker()
    (claim,) = jobs.claim(worker, 1)
    jobs.finish(worker, claim, "retry", delay=90.0)
    set_clock(conn, NOON + timedelta(seconds=91))
    assert jobs.rows("SELECT zeke_jobs.expire(10) AS n") == [{"n": 0}]
    assert [c["message_id"] for c in jobs.claim(worker, 1)] == [job]


def test_jobs_sent_before_their_task_got_a_limit_per_key_run_too(jobs: Jobs) -> None:
    jobs.use(ONE)
    jobs.add("a", 3)
    jobs.use("  a: {handler: 'H:echo', concurrency: {per_key: 1}}")
    assert len(jobs.claim(jobs.worker(), 5)) == 3


def test_a_claimed_job_carries_the_revision_that_its_worker_runs_by(jobs: Jobs) -> None:
    jobs.use(ONE)
    (job,) = jobs.add("a")
    assert jobs.row(job)["revision"] == 1
    worker = jobs.worker()
    jobs.look(worker, 1, revision=7)
    assert jobs.row(job)["revision"] == 7
