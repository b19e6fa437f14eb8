"""The processes that a job notifies, and a claim's report of jobs that it could not take."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import zeke_jobs
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import set_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from tests.zeke_jobs.worker.conftest import Jobs

QUEUES = ("default", "slow")


def waits(jobs: Jobs, worker: UUID, queue: str = "default", limited: tuple[str, ...] = ()) -> None:
    """Let a worker report that it waits."""
    SQL.run(jobs.conn, "worker/waits", worker=worker, queue=queue, idle=True, limited=list(limited))


def test_jobs_notify_once_a_statement(jobs: Jobs, heard: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    for _ in range(3):
        waits(jobs, jobs.worker())
    jobs.add("a")
    assert heard() == ["default"]
    zeke_jobs.send_many("a", [{}, {}], connection=jobs.conn)
    assert heard() == ["default"]


def test_the_jobs_of_a_transaction_name_one_waiting_process_that_looks_first(
    jobs: Jobs, other_conn: Connection
) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    waiting = [jobs.worker() for _ in range(9)]
    for worker in waiting:
        waits(jobs, worker)
    with other_conn.cursor() as cursor:
        cursor.execute('LISTEN "zeke_jobs.default"')
        named = set()
        for _ in range(20):
            with jobs.conn:  # a transaction
                for _ in range(3):
                    zeke_jobs.send("a", {}, connection=jobs.conn)
            cursor.execute("SELECT 1")
            (first,) = [notify.payload for notify in other_conn.notifies]
            other_conn.notifies.clear()
            named.add(first)
    assert named <= {str(worker) for worker in waiting}
    assert len(named) > 3, "not always the same one"


@pytest.mark.parametrize(("by_process", "payload"), [(True, "later"), (False, "")])
def test_a_freed_limit_notifies_later_where_its_own_process_looks(
    jobs: Jobs, other_conn: Connection, by_process: bool, payload: str
) -> None:
    jobs.use("  a: {handler: 'H:echo', concurrency: 1}")
    one, other = jobs.worker(), jobs.worker()
    for worker in (one, other):
        waits(jobs, worker, limited=("a",))
    with other_conn.cursor() as cursor:
        cursor.execute('LISTEN "zeke_jobs.default"')
        jobs.rows("SELECT zeke_jobs.ring_for_freed('{a}', %s)", one if by_process else None)
        cursor.execute("SELECT 1")
    assert [notify.payload for notify in other_conn.notifies] == [payload]


def test_jobs_that_are_given_back_notify_all(jobs: Jobs, heard: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    for _ in range(3):
        waits(jobs, jobs.worker())
    jobs.add("a", 2)
    heard()
    taker = jobs.worker()
    taken = jobs.claim(taker, 2)
    claims = [one["claim"] for one in taken]
    SQL.rows(jobs.conn, "job/give_back", worker=taker, ids=[one["message_id"] for one in taken], claims=claims)
    assert heard() == ["default"]


def test_only_the_queues_that_a_process_waits_at_are_notified(jobs: Jobs, heard: Callable[[], list[str]]) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  b: {handler: 'H:echo', queue: slow}")
    worker = jobs.worker(queues=QUEUES)
    waits(jobs, worker)
    jobs.add("b")
    assert heard() == []
    waits(jobs, worker, "slow")
    jobs.add("b")
    jobs.add("a")
    assert heard() == ["default", "slow"]
    SQL.run(jobs.conn, "worker/waits", worker=worker, queue="slow", idle=False, limited=[])
    jobs.add("b")
    jobs.add("a")
    assert heard() == ["default"]


@pytest.mark.parametrize(
    "change",
    [
        "SELECT zeke_jobs.cancel(%s, NULL, NULL)",
        """SELECT zeke_jobs.change_jobs('cancel', jsonb_build_object('id', %s))""",
        """SELECT zeke_jobs.change_jobs('prioritise', jsonb_build_object('id', %s), '{"priority": -9}')""",
        """SELECT zeke_jobs.change_jobs('reschedule', jsonb_build_object('id', %s), '{"run_at": "2027-01-01T00:00:00Z"}')""",
        "SELECT zeke_jobs.pause('task/a', 'me', 'why') WHERE %s::uuid IS NOT NULL",
    ],
)
def test_jobs_behind_one_that_needs_many_units_are_rung_for_when_it_is_taken_away(
    jobs: Jobs, heard: Callable[[], list[str]], change: str
) -> None:
    jobs.use("  a: {handler: 'H:echo', uses: [ai], units: {n: 9}}", "limits: {ai: {n: {rate: 9/m}}}")
    waits(jobs, jobs.worker())
    (job,) = jobs.add("a")
    assert heard() == ["default"]
    jobs.rows(change, job)
    assert heard() == ["default"]


POOL = "limits: {few: {concurrency: 2}}"
SHARED = """
  a: {handler: 'H:echo', uses: [few]}
  b: {handler: 'H:echo', uses: [few], queue: slow}
  c: {handler: 'H:echo', concurrency: 1}
  keyed: {handler: 'H:echo', concurrency: {limit: 9, per_key: 1}}
"""


def held_back(jobs: Jobs, worker: UUID, want: int, queue: str = "default", **said: Any) -> set[str]:
    """The tasks that a claim reports as left."""
    header, _ = jobs.look(worker, ["a", "b", "c", "keyed"], want, queue=queue, **said)
    return {*header["held_back"], *["*"] * header["lacks_thread"]}


def test_a_claim_names_the_tasks_of_which_more_is_due_than_limits_let_through(jobs: Jobs) -> None:
    jobs.use(SHARED, POOL)
    worker = jobs.worker(queues=QUEUES)
    assert held_back(jobs, worker, 9) == set()
    jobs.add("c")
    jobs.add("a")
    assert held_back(jobs, worker, 9) == set(), "there was no more"
    jobs.add("c")
    jobs.add("a")
    jobs.add("b", 2)
    assert held_back(jobs, worker, 9) == {"c"}
    assert held_back(jobs, worker, 9, "slow") == {"b"}
    jobs.add("keyed", 2, options='{"key": "k"}')
    assert held_back(jobs, worker, 9) == {"c", "keyed"}


def test_a_claim_that_got_all_it_wanted_names_none(jobs: Jobs) -> None:
    jobs.use(SHARED, POOL)
    jobs.add("a", 5)
    assert held_back(jobs, jobs.worker(), 2) == set()


def test_a_claim_says_when_a_thread_is_what_was_wanting(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    jobs.add("a", 2)
    worker = jobs.worker()
    assert held_back(jobs, worker, 9, free=1, threads=4, short=[]) == {"a", "*"}


@pytest.mark.parametrize(
    ("options", "free", "says"),
    [("{}", 0, {"*"}), ('{"priority": 1}', -90, {"*"}), ('{"priority": -1}', 0, set()), ("{}", 1, set())],
)
@pytest.mark.parametrize("limit", ["", ", concurrency: 3", ", rate: 3/m"])
def test_a_claim_that_is_full_of_short_jobs_says_that_one_which_may_be_long_lacks_a_thread(
    jobs: Jobs, limit: str, options: str, free: int, says: set[str]
) -> None:
    jobs.use(f"  a: {{handler: 'H:echo'}}\n  c: {{handler: 'H:echo'{limit}}}")
    jobs.add("a", 9)
    jobs.add("c", options=options)
    assert held_back(jobs, jobs.worker(), 4, free=free, threads=4, short=["a"]) == says


def test_a_claim_that_also_completes_names_them_too(jobs: Jobs) -> None:
    jobs.use(SHARED, POOL)
    worker = jobs.worker()
    jobs.add("c", 3)
    (job,) = jobs.claim(worker, 1)
    header, rows = jobs.look(worker, ["c"], 4, [job], free=4, threads=4, short=[])
    assert (len(rows), header["lost"], header["held_back"]) == (1, [], ["c"])


def test_a_look_says_which_completions_were_no_longer_the_workers(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    jobs.add("a", 2)
    worker = jobs.worker()
    ours, theirs = jobs.claim(worker, 2)
    jobs.rows("UPDATE zeke_jobs.queue SET claim = claim + 1 WHERE message_id = %s", theirs["message_id"])
    header, rows = jobs.look(worker, ["a"], 4, [ours, theirs], free=4, threads=4, short=[])
    assert (header["lost"], rows) == ([theirs["message_id"]], [])


@pytest.mark.parametrize(
    ("limited", "ended", "notified"),
    [
        (("a",), "a", ["default"]),
        (("a",), "b", ["default"]),  # a limit that both share
        (("b",), "a", ["slow"]),
        (("a", "b"), "a", ["default", "slow"]),
        (("c",), "a", []),
        (("keyed",), "keyed", ["default"]),
        ((), "a", []),
    ],
)
def test_an_end_rings_for_those_that_its_limits_held_back(
    jobs: Jobs, heard: Callable[[], list[str]], limited: tuple[str, ...], ended: str, notified: list[str]
) -> None:
    jobs.use(SHARED, POOL)
    jobs.add(ended, options='{"key": "k"}')
    mine, other = jobs.worker(queues=QUEUES), jobs.worker(queues=QUEUES)
    (job,) = jobs.claim(mine, 1, queue="slow" if ended == "b" else "default")
    for queue in QUEUES:
        here = tuple(task for task in limited if (task == "b") == (queue == "slow"))
        waits(jobs, other, queue, here)
        waits(jobs, mine, queue, here)
    jobs.complete(mine, [job])
    assert heard() == notified


def test_what_a_worker_says_of_one_queue_leaves_the_other_alone(jobs: Jobs) -> None:
    jobs.use(SHARED, POOL)
    worker = jobs.worker(queues=QUEUES)
    waits(jobs, worker, "default", ("a", "c"))
    waits(jobs, worker, "slow", ("b",))
    waits(jobs, worker, "default", ("c",))
    assert jobs.rows("SELECT idle, limited FROM zeke_jobs.worker") == [
        {"idle": ["slow", "default"], "limited": ["b", "c"]}
    ]


@pytest.mark.parametrize("how", ["complete", "hold", "retry", "failed", "returned", "given back"])
def test_however_a_job_ends_another_queue_under_its_limit_is_rung(
    jobs: Jobs, heard: Callable[[], list[str]], how: str
) -> None:
    jobs.use(SHARED, POOL)
    jobs.add("a")
    mine, other = jobs.worker(queues=QUEUES), jobs.worker(queues=QUEUES)
    (job,) = jobs.claim(mine, 1)
    waits(jobs, other, "slow", ("b",))
    if how == "complete":
        jobs.complete(mine, [job])
    elif how == "hold":
        assert jobs.hold(mine, job["message_id"], job["claim"], result="null")
    elif how == "given back":
        SQL.rows(jobs.conn, "job/give_back", worker=mine, ids=[job["message_id"]], claims=[job["claim"]])
    else:
        jobs.finish(mine, job, how, after=None if how == "returned" else 0.0)
    assert heard() == ["slow"]


@pytest.mark.parametrize(("again", "notified"), [("a", []), ("c", ["default"])])
def test_who_takes_another_tasks_job_for_the_one_that_ended_leaves_its_slot_to_others(
    jobs: Jobs, heard: Callable[[], list[str]], again: str, notified: list[str]
) -> None:
    jobs.use(SHARED, POOL)
    mine, other = jobs.worker(), jobs.worker()
    jobs.add("a", 2)
    first, _ = jobs.claim(mine, 2)
    jobs.add(again)
    waits(jobs, other, limited=("a",))
    _, rows = jobs.look(mine, ["a", "c"], 1, [first], free=1, threads=4, short=[])
    assert [row["task"] for row in rows] == [again]
    assert heard() == notified


def test_a_claim_that_is_asked_says_when_the_next_job_is_due_beside_what_it_took(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}")
    jobs.add("a")
    jobs.add("a", options='{"delay": "1h"}')
    header, rows = jobs.look(jobs.worker(), ["a"], 4, free=4, threads=4, short=[], ask=True)
    assert len(rows) == 1
    assert 3500 < (datetime.fromisoformat(header["looks_on"]) - header["on_clock"]).total_seconds() <= 3600


def test_a_delayed_job_is_waited_for_whatever_its_priority(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', priority: 1}\n  b: {handler: 'H:echo'}\n  c: {handler: 'H:echo', queue: slow}")
    set_clock(jobs.conn, NOON)
    due = "SELECT zeke_jobs.next_due('default', '{a,b,c}', zeke_jobs.now()) AS due"
    assert jobs.rows(due) == [{"due": None}]
    for task, priority, delay in (("c", 0, 1), ("b", 0, 50), ("a", 1, 40), ("a", -3, 30), ("b", 7, 20), ("a", 9, 10)):
        jobs.add(task, options=f'{{"priority": {priority}, "delay": {delay}}}')
        expected = None if task == "c" else NOON + timedelta(seconds=delay)
        assert jobs.rows(due) == [{"due": expected}]
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now() WHERE priority = 9")
    (retried,) = jobs.claim(worker := jobs.worker(), 1)
    jobs.finish(worker, retried, "retry", delay=5.0)
    assert jobs.rows(due) == [{"due": NOON + timedelta(seconds=5)}]


def opens(jobs: Jobs, worker: UUID) -> float | None:
    """In how many seconds a claim that finds nothing says that something else could be claimed."""
    header, _ = jobs.look(worker, ["a", "b", "c"], 4, free=4, threads=4, short=[])
    opens = header["looks_on"]
    return None if opens is None else float((datetime.fromisoformat(opens) - header["on_clock"]).total_seconds())


def test_a_claim_that_a_rate_held_back_says_when_it_lets_the_next_job_through(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', rate: 3/m}")
    worker = jobs.worker()
    set_clock(jobs.conn, NOON)
    jobs.add("a", 5)
    assert len(jobs.claim(worker, 2)) == 2
    set_clock(jobs.conn, NOON + timedelta(seconds=10))
    assert held_back(jobs, worker, 4) == {"a"}, "no end of another task's job changes it"
    set_clock(jobs.conn, NOON + timedelta(seconds=15))
    assert opens(jobs, worker) == pytest.approx(60.15 - 15)
    # No worker has said when it started them: a quarter of a second after the claim is assumed.
    set_clock(jobs.conn, NOON + timedelta(seconds=60.399))
    assert jobs.claim(worker, 4) == []
    set_clock(jobs.conn, NOON + timedelta(seconds=60.4))
    assert len(jobs.claim(worker, 4)) == 2


def test_a_rate_that_was_lowered_is_looked_at_whenever_something_leaves_its_window(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', rate: 3/m}")
    worker = jobs.worker()
    set_clock(jobs.conn, NOON)
    jobs.add("a", 5)
    for second in (0, 10, 20):
        set_clock(jobs.conn, NOON + timedelta(seconds=second))
        assert len(jobs.claim(worker, 1)) == 1
    jobs.use("  a: {handler: 'H:echo', rate: 2/m}")
    assert opens(jobs, worker) == pytest.approx(60.15 - 20)
    set_clock(jobs.conn, NOON + timedelta(seconds=60.5))
    assert opens(jobs, worker) == pytest.approx(9.65)
    set_clock(jobs.conn, NOON + timedelta(seconds=70.5))
    assert len(jobs.claim(worker, 4)) == 1


def test_of_the_rates_of_a_task_the_last_to_open_counts_and_of_tasks_the_first(jobs: Jobs) -> None:
    top = "limits: {few: {rate: 1/m}, fewer: {rate: 1/h}}"
    jobs.use("  a: {handler: 'H:echo', uses: [few]}\n  b: {handler: 'H:echo', uses: [fewer]}", top)
    worker = jobs.worker()
    set_clock(jobs.conn, NOON)
    jobs.add("a", 2)
    jobs.add("b", 2)
    assert len(jobs.claim(worker, 4)) == 2
    assert opens(jobs, worker) == 60.15
    jobs.use("  a: {handler: 'H:echo', uses: [few, fewer]}\n  b: {handler: 'H:echo', uses: [fewer]}", top)
    assert opens(jobs, worker) == 3600.25


def test_what_opened_or_became_due_while_a_claim_was_under_way_is_not_missed(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', rate: 1/m}\n  b: {handler: 'H:echo'}")
    set_clock(jobs.conn, NOON)
    jobs.add("a")
    jobs.add("b", options='{"delay": 60.1}')
    jobs.claim(jobs.worker(), 1)
    set_clock(jobs.conn, NOON + timedelta(seconds=61))
    began = NOON + timedelta(seconds=60)
    sql = (
        "SELECT zeke_jobs.opens_on('{a}', '{task/a}', %s) AS opened, zeke_jobs.next_due('default', '{a,b}', %s) AS due"
    )
    (said,) = jobs.rows(sql, began, began)
    assert said == {"opened": NOON + timedelta(seconds=60.15), "due": NOON + timedelta(seconds=60.1)}


def test_a_rate_that_is_not_full_is_not_waited_for(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo', rate: 3/m, concurrency: 1}")
    worker = jobs.worker()
    jobs.add("a", 2)
    assert len(jobs.claim(worker, 4)) == 1
    assert opens(jobs, worker) is None
