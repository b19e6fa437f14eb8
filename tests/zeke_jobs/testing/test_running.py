"""``run_jobs(waits=False)`` moves the clock on until no job is left to run; a stopped clock runs again afterwards."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, TypeAlias

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import scalar
from tests.zeke_jobs.worker.conftest import load
from tests.zeke_jobs.worker.handlers import CALLS
from zeke_jobs.testing import JobRunner, prepare, release_clock, set_clock

DESK = "tests.zeke_jobs.worker.coroutines:Desk"
TASKS = """
  echo: {handler: 'H:echo'}
  rare: {handler: 'H:echo', rate: 2/h}
  rare-by-key: {handler: 'H:echo', rate: {per_key: 1/h}}
  paused: {handler: 'H:echo', paused: true}
  again: {handler: 'H:fail_once', retry: {limit: 2, delay: 5m}}
  throttled: {handler: 'F:throttled_once', uses: [ai]}
  chain: {handler: 'tests.zeke_jobs.worker.coroutines:chain', retry: {limit: 0}}
  everything: {handler: 'tests.zeke_jobs.worker.coroutines:everything', retry: {limit: 1}}
  at-desk: {handler: 'tests.zeke_jobs.worker.coroutines:at_desk'}
  strict: {handler: 'H:fail', order: strict, retry: {limit: 0}}
"""


Runner: TypeAlias = Callable[..., list[zeke_jobs.Job]]


@pytest.fixture
def run_jobs(database: str) -> Iterator[Runner]:
    config = load(TASKS, f"limits: {{ai: {{concurrency: 2}}}}\nservices: {{desk: {{use: '{DESK}'}}}}")
    CALLS.clear()
    prepare(database, config)
    runner = JobRunner(config, database)
    yield runner
    runner.close()


def ended(jobs: list[zeke_jobs.Job]) -> Counter[tuple[str, str]]:
    return Counter((job.task_id, job.status) for job in jobs)


def test_a_due_job_that_may_not_start_stops_no_other(run_jobs: Runner) -> None:
    zeke_jobs.send("paused")
    zeke_jobs.send("strict", key="a")
    zeke_jobs.send("strict", key="a")  # The second job waits behind the first job, which will fail.
    zeke_jobs.send("again")
    zeke_jobs.send("echo", delay=3600)
    found = ended(run_jobs(waits=False, raises=False))
    assert found == {("again", "completed"): 1, ("echo", "completed"): 1, ("strict", "failed"): 1}


def test_jobs_of_a_rate_and_of_a_closed_limit_run_when_it_lets_them(run_jobs: Runner) -> None:
    zeke_jobs.send_many("rare", [{"n": n} for n in range(5)])
    zeke_jobs.send_many("rare-by-key", [{}] * 3, keys=["a", "a", "b"])
    zeke_jobs.send_many("throttled", [{}, {}])
    assert ended(run_jobs()) == {("rare", "completed"): 1, ("rare-by-key", "completed"): 2}
    later = {("rare", "completed"): 4, ("rare-by-key", "completed"): 1, ("throttled", "completed"): 2}
    assert ended(run_jobs(waits=False)) == later


@pytest.mark.parametrize("in_transaction", [False, True])
def test_jobs_that_expire_end_their_batch(run_jobs: Runner, database: str, in_transaction: bool) -> None:
    with closing(psycopg2.connect(database)) as conn:
        conn.autocommit = not in_transaction
        options: Any = {"connection": conn}
        zeke_jobs.send_many("paused", [{}, {}], batch="import-42", then=("echo", {"n": 1}), expires=60, **options)
        zeke_jobs.send("echo", delay=30, **options)
        found = run_jobs(waits=False, **options)
        expected = [("echo", "completed"), *[("paused", "cancelled")] * 2, ("echo", "completed")]
        assert [(job.task_id, job.status) for job in found] == expected
        assert zeke_jobs.batch_status("import-42", **options).cancelled == 2


def test_async_handlers_run_with_what_they_await_also_in_an_async_test(run_jobs: Runner, database: str) -> None:
    with closing(psycopg2.connect(database)) as conn:
        conn.autocommit = True
        conn.cursor().execute("CREATE TABLE written (n integer)")
        zeke_jobs.send("chain", {"n": 3})
        zeke_jobs.send("everything")
        zeke_jobs.send_many("at-desk", [{}] * 2)
        found = ended(run_jobs(waits=False))
        expected = {"chain": 1, "everything": 1, "at-desk": 2, "echo": 5}
        assert found == {(task, "completed"): count for task, count in expected.items()}
    assert CALLS.count(("opened", "event loop")) == 1

    async def test() -> None:
        zeke_jobs.send("everything")
        assert ended(run_jobs(waits=False))["everything", "completed"] == 1

    asyncio.run(test())


def test_one_in_the_transaction_of_a_test_has_no_transaction_of_its_own(run_jobs: Runner, database: str) -> None:
    with closing(psycopg2.connect(database)) as conn:
        zeke_jobs.send("everything", connection=conn)
        assert ended(run_jobs(waits=False, connection=conn))[("everything", "completed")] == 1
        zeke_jobs.send("chain", {"n": 3}, connection=conn)
        with pytest.raises(RuntimeError, match="without connection="):
            run_jobs(connection=conn)


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BODY = "SELECT prolang::text || prosrc FROM pg_proc WHERE oid = 'zeke_jobs.now()'::regprocedure"


def test_a_released_clock_is_the_function_that_migrate_makes(conn: Connection) -> None:
    made = scalar(conn, BODY)
    set_clock(conn, NOON)
    assert scalar(conn, "SELECT zeke_jobs.now()") == NOON
    release_clock(conn)
    assert scalar(conn, BODY) == made
    assert scalar(conn, "SELECT zeke_jobs.now() > now()") is True
