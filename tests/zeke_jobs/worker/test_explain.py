"""Each frequent statement finds its rows by an index. The tests call the real functions and count the reads.

EXPLAIN does not show the plans inside functions. If a call read few rows, it did not sort or filter the backlog.
Each call is tested with plans made for an empty table, and in another program's session with bad planner settings.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extras import register_uuid

from tests.zeke_jobs.worker.big_table import ODD, ROWS, WORKER, BigTable
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.client.options import FILTERS
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.session import Session

pytestmark = pytest.mark.timeout(600)

WARM_RUNS = 6  # PostgreSQL keeps the plan of a prepared statement from its sixth run on.
#: MOST counts index entries: a claim of 64 jobs reads about 200, and probes of blocked keys a few thousand.
MOST = 3_000
QUEUED = "state = 'queued' AND task = 'bulk' AND deaths = 0 AND expires_on IS NULL"
FAILED = "state = 'rejected' AND task = 'bulk' AND cancelled_on IS NULL"


Call: TypeAlias = Callable[[BigTable], Any]


@dataclass(frozen=True)
class Case:
    name: str
    index: str
    call: Call
    most: int = MOST


def run(statement: str, first: str = "", **params: Any) -> Call:
    """Run a statement. If ``first`` names another statement, run that one before."""
    return lambda big: (first and SQL.all(big.jobs.conn, first), SQL.all(big.jobs.conn, statement, **params))


def look(statement: str, **params: Any) -> Call:
    return run(statement, "doctor/snapshot", **params)


def does(call: Call) -> Call:
    """Check that the call changes something."""

    def work(big: BigTable) -> None:
        assert call(big)

    return work


ONE: dict[str, Any] = {"task": "capped", "revision": "1", "payload": '{"n": 1}', "options": "{}"}
NO_FILTER: dict[str, Any] = {"id": None, **dict.fromkeys(FILTERS), "sent": None, "after": None, "limit": 20}


def by_id(statement: str, where: str, **params: Any) -> Call:
    return lambda big: big.known(where) and SQL.all(big.jobs.conn, statement, **{**params, "id": big.known(where)})


def change(verb: str, most: int, where: str = "", **filters: Any) -> Call:
    said = {"value": "{}", "reason": None, "by": "y", "after": None, "most": most}

    def work(big: BigTable) -> Any:
        filter_ = filters | ({"id": str(big.known(where))} if where else {})
        return SQL.all(big.jobs.conn, "change/jobs", change=verb, filter=encode(filter_), **said)

    return work


def send(task: str, options: str = "{}") -> Call:
    return lambda big: big.jobs.add(task, payload='{"n": 1}', options=options)


def finish(outcome: str) -> Call:
    return does(lambda big: big.jobs.finish(WORKER, big.active("full")[0], outcome, error="{}"))


def all_that_follows(outcome: str) -> Call:
    """End a job in a batch with a retention period, whose dramatiq-pg sender may wait for the result."""

    def call(big: BigTable) -> None:
        (job,) = big.jobs.add("bulk", payload='{"n": 1}')
        claimed = f"state = 'consumed', worker = '{WORKER}', claim = 1, claimed_on = zeke_jobs.now()"
        extra = '{"batch": "b", "keep": "1 day", "producer": true}'
        big.jobs.rows(f"UPDATE zeke_jobs.queue SET {claimed}, extra = %s WHERE message_id = %s", extra, job)
        held = {"message_id": job, "claim": 1}
        if outcome == "completed":
            assert big.jobs.complete(WORKER, [held])
        else:
            assert big.jobs.finish(WORKER, held, outcome, error="{}")

    return call


def twice(call: Call) -> Call:
    return lambda big: [call(big) for _ in range(2)]


def cancelling(big: BigTable) -> None:
    SQL.all(big.jobs.conn, "job/cancelling", worker=WORKER, held=[c["message_id"] for c in big.active("full")])


def fence(big: BigTable) -> bool:
    held = big.active("full")[0]
    return big.jobs.fence(WORKER, held["message_id"], held["claim"])


def paused(big: BigTable) -> None:
    big.jobs.rows("INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/bulk', 'a test')")
    big.claim()


def rescue(big: BigTable) -> None:
    big.jobs.rows("UPDATE zeke_jobs.worker SET heartbeat_on = heartbeat_on - interval '1 hour' WHERE id <> %s", WORKER)
    big.jobs.rows("UPDATE zeke_jobs.worker SET beating_since = beating_since - interval '1 hour'")
    assert SQL.all(big.jobs.conn, "worker/rescue")


def purge(status: str) -> Call:
    said: dict[str, Any] = {"after": "-infinity", "before": "infinity", "limit": 100}
    return run("retention/purge", task="bulk", status=status, **said)


CASES = [
    Case("claim of all tasks", "queue_ready", lambda big: big.claim()),
    Case("claim of a task without limits", "queue_ready", lambda big: big.claim("bulk")),
    Case("claim of a task whose limit is full", "queue_active", lambda big: big.claim("full")),
    Case("claim of a task with a shared limit", "queue_active", lambda big: big.claim("shared")),
    Case("claim by rate", "queue_ready", lambda big: big.claim("urgent")),
    Case("claim by key, the longest key blocked", "queue_ready_key", lambda big: big.claim("keyed")),
    Case("claim where nothing is due yet", "queue_ready", lambda big: big.claim("later")),
    Case("claim where all is paused", "queue_ready", paused),
    Case("claim of a suspect", "queue_apart", lambda big: big.jobs.claim(WORKER, 8, ["bulk"], is_empty=True)),
    Case("next due", "queue_ready", run("job/next_due", queue="default", tasks=["bulk", "later", "keyed"], since=0)),
    Case("start mark", "queue_pkey", lambda big: big.jobs.start(WORKER, big.active("full"))),
    Case("completion", "queue_pkey", does(lambda big: big.jobs.complete(WORKER, big.active("shared")))),
    *(Case(f"end by {how}", "queue_pkey", finish(how)) for how in ("retry", "failed", "deferred", "returned")),
    Case("fence", "queue_pkey", does(fence)),
    Case("cancelled jobs of a worker", "queue_pkey", cancelling),
    Case("rescue with nobody lost", "queue_active", run("worker/rescue")),
    Case("rescue", "queue_active", rescue),
    Case("expiry", "queue_apart", run("job/expire", limit=500)),
    Case("send with an idempotency key", "queue_pkey", send("bulk", '{"idempotency_key": "k"}')),
    Case("send with a taken id", "queue_pkey", lambda big: send("bulk", f'{{"id": "{big.known(QUEUED)}"}}')(big)),
    Case("send to a full task", "queue_ready", run("send/one", **ONE, id=str(WORKER))),
    Case("unique send", "queue_pkey", twice(send("once"))),
    Case("send for a tick", "queue_pkey", twice(send("bulk", '{"scheduled_for": "2026-01-01Z"}'))),
    Case("ask for the end", "queue_pkey", by_id("job/ended", QUEUED)),
    Case("output", "queue_pkey", by_id("job/output", "state = 'done'")),
    Case("how far each limit is used", "queue_active", look("top/limits")),
    Case("who fills a limit", "queue_active", look("why/limits", limits=["limit/pool"], most=5)),
    Case("queued jobs of unknown tasks", "queue_ready", look("doctor/unknown", most=1001)),
    # top/tasks.sql counts at most 1,001 queued jobs per task.
    Case("tasks on the board", "queue_ready", look("top/tasks", most=1001, sample=200), most=8 * 1_100 + MOST),
    Case("what waits next", "queue_ready", look("top/waiting", task="bulk", most=100)),
    Case("what failed last", "queue_ended", look("top/failed", most=100)),
    Case("purge of completed jobs", "queue_ended", purge("completed")),
    Case("purge of failed jobs", "queue_ended", purge("failed")),
]
#: Statements in OURS are no functions with settings, so they run only in sessions of zeke_jobs.
OURS = [
    *(Case(f"all that follows {how}", "queue_pkey", all_that_follows(how)) for how in ("completed", "failed", "retry")),
    Case("status", "queue_pkey", by_id("job/list", QUEUED, **NO_FILTER)),
    Case("cancel", "queue_pkey", change("cancel", 1, QUEUED)),
    Case("retry", "queue_pkey", change("retry", 1, FAILED)),
    # A retry of many jobs runs in parts. Each part takes the task's failed jobs in the order of their ids, and starts
    # after the last id of the previous part.
    Case("retry of what failed", "queue_ended", change("retry", 100, task="bulk", status=["failed"]), 8000),
    Case("the newest jobs", "queue_created", run("job/list", **NO_FILTER)),
    Case("how long each task waits", "queue_ready", run("schedule/late")),
    Case("who fills a key", "queue_active", by_id("why/key", "key = 'key-5'")),
    Case("what a purge may remove", "queue_ended", run("retention/overdue")),
]


@pytest.fixture(scope="module", params=[False, True], ids=["plans of an empty table", "odd settings"])
def big(module_database: str, request: pytest.FixtureRequest) -> Iterator[BigTable]:
    """All calls are rolled back, so the cases share the table. One variant keeps plans of the empty table, the worst case."""
    with closing(connect(module_database)) as conn:
        ours = BigTable(Jobs(conn))
        ours.jobs.rows("VACUUM ANALYZE zeke_jobs.queue")  # Without statistics the planner assumes a small table.
        for case in (*CASES, *OURS):
            for _ in range(0 if request.param else WARM_RUNS):
                with suppress(IndexError, AssertionError):  # The empty table has no job for the statement.
                    ours.measure(lambda: case.call(ours))  # noqa: B023 (it is called here)
        if not ours.jobs.rows("SELECT 1 FROM zeke_jobs.queue LIMIT 1"):
            ours.seed(ROWS)
        if not request.param:
            yield ours
            return
        ours.jobs.rows("VACUUM ANALYZE zeke_jobs.queue")
        for setting, value in ODD.items():
            ours.jobs.rows(f"ALTER DATABASE {conn.info.dbname} SET {setting} = '{value}'")
        with closing(somebody(module_database)) as theirs:
            yield BigTable(Jobs(theirs))
        ours.jobs.rows(f"ALTER DATABASE {conn.info.dbname} RESET ALL")


def somebody(url: str) -> Connection:
    conn = psycopg2.connect(url)
    conn.autocommit = True
    register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
    return conn


@pytest.mark.parametrize("case", [*CASES, *OURS], ids=lambda case: case.name)
def test_a_hot_statement_reads_what_it_needs_and_no_more(big: BigTable, case: Case) -> None:
    if case in OURS and not isinstance(big.jobs.conn, Session):
        pytest.skip("a statement for sessions of ours")
    big.measure(lambda: case.call(big))  # The first call looks up the jobs that the statement names.
    reads = big.measure(lambda: case.call(big))
    assert reads.seq_scans == 0
    assert reads.indexes & {case.index}
    assert reads.entries < case.most


def test_the_count_would_show_a_scan(big: BigTable) -> None:
    # The counters do not include the reads of parallel workers.
    big.jobs.rows("SET max_parallel_workers_per_gather = 0")
    reads = big.measure(lambda: big.jobs.rows("SELECT count(*) FROM zeke_jobs.queue WHERE message::text LIKE '%%no%%'"))
    big.jobs.rows("RESET max_parallel_workers_per_gather")
    assert reads.seq_scans > 0
    assert reads.entries > 4 * MOST
