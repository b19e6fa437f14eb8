"""Each hot statement finds what it needs by an index, however long the backlog: the real functions run, and what they read is counted.

A plan that sorted or filtered the backlog would read it, so a small count rules both out; it covers what EXPLAIN cannot show, the
statements within functions. Twice: with fresh statistics, and with none, by plans that were made and kept while the table was small.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.zeke_jobs.engine.big_table import ROWS, WORKER, BigTable
from tests.zeke_jobs.engine.conftest import Jobs
from zeke_jobs.postgres import connect
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(600)

SMALL = 600
WARM_RUNS = 6  # a prepared plan is kept from its sixth run on
#: Entries of indexes; a claim of 64 jobs looks at some 200, one that probes blocked keys at a few thousand at most.
MOST = 3_000
QUEUED = "state = 'queued' AND task = 'bulk' AND deaths = 0 AND expires_on IS NULL"
FAILED = "state = 'rejected' AND task = 'bulk' AND cancelled_on IS NULL"


@dataclass(frozen=True)
class Case:
    """A statement: how it is called, and the index that it must use."""

    name: str
    index: str
    call: Callable[[BigTable], Any]
    most: int = MOST


def claim(task: str) -> Callable[[BigTable], Any]:
    return lambda big: big.jobs.claim(WORKER, 64, [task])


def run(statement: str, **params: Any) -> Callable[[BigTable], Any]:
    return lambda big: SQL.all(big.jobs.conn, statement, **params)


def by_id(statement: str, where: str, **params: Any) -> Callable[[BigTable], Any]:
    return lambda big: big.known(where) and SQL.all(big.jobs.conn, statement, id=big.known(where), **params)


def send(task: str, options: str = "{}") -> Callable[[BigTable], Any]:
    return lambda big: big.jobs.add(task, payload='{"n": 1}', options=options)


def complete(big: BigTable) -> None:
    assert big.jobs.complete(WORKER, big.active("shared"))


def finish(outcome: str) -> Callable[[BigTable], Any]:
    def call(big: BigTable) -> None:
        assert big.jobs.finish(WORKER, big.active("full")[0], outcome, error="{}")

    return call


def started(big: BigTable) -> None:
    claims = big.active("full")
    ids, numbers = [c["message_id"] for c in claims], [c["claim"] for c in claims]
    SQL.all(big.jobs.conn, "job_mark_started", worker=WORKER, ids=ids, claims=numbers, after=[0.0] * len(ids))


def hold(big: BigTable) -> None:
    held = big.active("full")[0]
    assert big.jobs.hold(WORKER, held["message_id"], held["claim"])


def pause(target: str, then: Callable[[BigTable], Any]) -> Callable[[BigTable], Any]:
    def call(big: BigTable) -> None:
        big.jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES (%s, 'a test')", target)
        then(big)

    return call


def rescue(big: BigTable) -> None:
    big.jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '1 hour' WHERE id <> %s", WORKER)
    big.jobs.rows("UPDATE zeke_jobs.worker SET beating_since = beating_since - interval '1 hour'")
    assert SQL.all(big.jobs.conn, "worker_rescue")


def purge(status: str) -> Callable[[BigTable], Any]:
    said = {"after": "-infinity", "before": "infinity", "limit": 100}
    return run("retention_purge", task="bulk", status=status, **said)


CASES = [
    Case("claim of all tasks", "queue_ready", lambda big: big.jobs.claim(WORKER, 64)),
    Case("claim of a task without limits", "queue_ready", claim("bulk")),
    Case("claim of a task whose limit is full", "queue_active", claim("full")),
    Case("claim of a task with a shared limit", "queue_active", claim("shared")),
    Case("claim by rate", "queue_ready", claim("urgent")),
    Case("claim by key, the longest key blocked", "queue_ready_key", claim("keyed")),
    Case("claim where nothing is due yet", "queue_ready", claim("later")),
    Case("claim where all is paused", "queue_ready", pause("task/bulk", lambda big: big.jobs.claim(WORKER, 64))),
    Case("claim of a suspect", "queue_suspect", lambda big: big.jobs.claim_alone(WORKER, tasks=["bulk"])),
    Case(
        "when the next is due",
        "queue_ready",
        lambda big: big.jobs.rows(
            "SELECT zeke_jobs.next_due('default', ARRAY['bulk', 'later', 'keyed'], zeke_jobs.now())"
        ),
    ),
    Case("start mark", "queue_pkey", started),
    Case("completion", "queue_pkey", complete),
    *(Case(f"end by {how}", "queue_pkey", finish(how)) for how in ("retry", "failed", "deferred", "returned")),
    Case("fence", "queue_pkey", hold),
    Case("cancelled jobs of a worker", "queue_cancelling", run("job_cancelling", worker=WORKER)),
    Case("heartbeat", "queue_suspect", run("worker_heartbeat", worker=WORKER, busy=0, revision=1, stopping=False)),
    Case("rescue with nobody lost", "queue_active", run("worker_rescue")),
    Case("rescue", "queue_active", rescue),
    Case("expiry", "queue_expiring", run("queue_expire", limit=500)),
    Case("send with an idempotency key", "queue_idempotency", send("bulk", '{"idempotency_key": "k"}')),
    Case(
        "send with an id that is taken", "queue_pkey", lambda big: send("bulk", f'{{"id": "{big.known(QUEUED)}"}}')(big)
    ),
    Case(
        "send to a full task",
        "queue_ready",
        run("send_one", task="capped", revision=1, payload='{"n": 1}', options="{}"),
    ),
    Case("unique send", "queue_pkey", lambda big: [send("once")(big) for _ in range(2)]),
    Case(
        "send for a tick",
        "queue_tick",
        lambda big: [send("bulk", '{"scheduled_for": "2026-01-01Z"}')(big) for _ in range(2)],
    ),
    Case("status", "queue_pkey", by_id("job_one", QUEUED)),
    Case("cancel", "queue_pkey", by_id("cancel_one", QUEUED, reason="x", by="y")),
    Case("retry", "queue_pkey", by_id("retry_jobs", FAILED, task=None, status="failed", newer=None, limit=1, by="y")),
    Case(
        "retry of what failed",
        "queue_failed",
        run("retry_jobs", id=None, task="bulk", status="failed", newer=None, limit=100, by="y"),
    ),
    Case("ask for the end", "queue_pkey", by_id("job_await", QUEUED)),
    Case("output", "queue_pkey", by_id("job_output", "state = 'done'")),
    Case(
        "the newest jobs",
        "queue_created",
        run("job_list", task=None, statuses=None, parent=None, newer=None, older=None, limit=20),
    ),
    Case("how long each task waits", "queue_ready", run("wait_late")),
    Case("how far each limit is used", "queue_active", run("board_limits")),
    Case("who fills a limit", "queue_active", run("why_gates", gates=["limit/pool"], most=5)),
    Case("who fills a key", "queue_active", by_id("why_key", "key = 'key-5'", task="keyed")),
    Case("queued jobs of unknown tasks", "queue_ready", run("doctor_unknown", most=1001)),
    # Up to a thousand and one queued jobs of each task are counted.
    Case("tasks on the board", "queue_ready", run("board_tasks", most=1001, sample=200), most=8 * 1_100 + MOST),
    Case("what waits next", "queue_ready", run("board_waiting", task="bulk", most=100)),
    Case("what failed last", "queue_failed", run("board_failed", most=100)),
    Case("what a purge may remove", "queue_completed", run("retention_overdue")),
    Case("purge of completed jobs", "queue_completed", purge("completed")),
    Case("purge of failed jobs", "queue_failed", purge("failed")),
]


@pytest.fixture(scope="module", params=["plans of a small table", "fresh statistics"])
def big(module_database: str, request: pytest.FixtureRequest) -> Iterator[BigTable]:
    with closing(connect(module_database)) as conn:
        big = BigTable(Jobs(conn))
        if request.param == "fresh statistics":
            big.seed(ROWS)
            big.jobs.rows("VACUUM ANALYZE zeke_jobs.queue")
        else:
            big.seed(SMALL)
            for case in CASES:
                for _ in range(WARM_RUNS):
                    big.measure(lambda: case.call(big))  # noqa: B023 (it is called here)
            big.seed(ROWS)
        yield big
        big.empty()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hot_statement_reads_what_it_needs_and_no_more(big: BigTable, case: Case) -> None:
    big.measure(lambda: case.call(big))  # looks up what it names
    reads = big.measure(lambda: case.call(big))
    assert reads.seq_scans == 0
    assert reads.indexes & set(case.index.split("|"))
    assert reads.entries < case.most


def test_the_count_would_show_a_scan(big: BigTable) -> None:
    reads = big.measure(lambda: big.jobs.rows("SELECT count(*) FROM zeke_jobs.queue WHERE message::text LIKE '%%no%%'"))
    assert reads.seq_scans > 0
    assert reads.entries > 10 * MOST  # of those that the leader of a parallel scan read itself
