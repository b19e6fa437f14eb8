from contextlib import suppress
from typing import Any

import pytest

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import Jobs, Running, a_claim, at_once
from tests.zeke_jobs.worker.test_running import failure
from zeke_jobs.errors import ClaimLost, Defer
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import FakeContext
from zeke_jobs.worker.run.reports import take_lease

HOST = "host/example.org"


@pytest.fixture
def jobs(jobs: Jobs) -> Jobs:
    jobs.use("  a: {handler: 'H:echo', retry: {limit: 5}}")
    return jobs


class Held:
    def __init__(self, jobs: Jobs, count: int) -> None:
        self.jobs = jobs
        self.worker = jobs.worker()
        jobs.add("a", count)
        self.rows = jobs.claim(self.worker, count)
        self.claims = [a_claim(row["message_id"], row["claim"], "a") for row in self.rows]

    def take(self, n: int, name: str = HOST, limit: int = 1, conn: Any = None) -> None:
        take_lease(conn or self.jobs.conn, name, limit, self.claims[n], self.worker)


@pytest.mark.parametrize("outcome", ["retry", "deferred", "returned", "failed", "cancelled", "completed", "given back"])
def test_a_lease_ends_with_its_block_and_with_the_attempt(jobs: Jobs, outcome: str) -> None:
    held = Held(jobs, 2)
    held.take(0)
    if outcome == "completed":
        jobs.complete(held.worker, held.rows[:1])
    elif outcome == "given back":
        SQL.run(jobs.conn, "lease/release", name=HOST, job=held.claims[0].id, claim=held.claims[0].number)
    else:
        jobs.finish(held.worker, held.rows[0], outcome)
    held.take(1)


def test_a_lease_of_a_lost_worker_ends_with_the_rescue_and_not_before(jobs: Jobs) -> None:
    jobs.at()
    dead, alive = Held(jobs, 1), Held(jobs, 1)
    dead.take(0)
    for seconds in (10, 21):
        jobs.at(seconds)
        jobs.beat(alive.worker)
    with pytest.raises(Defer):
        alive.take(0)
    SQL.all(jobs.conn, "worker/rescue")
    alive.take(0)


def test_the_next_claim_of_a_job_does_not_inherit_the_lease(jobs: Jobs) -> None:
    held = Held(jobs, 1)
    held.take(0)
    jobs.finish(held.worker, held.rows[0], "retry")
    again = Held(jobs, 0)
    (row,) = again.jobs.claim(again.worker, 1)
    claim = a_claim(row["message_id"], row["claim"], "a")
    other = Held(jobs, 1)
    other.take(0)
    with pytest.raises(Defer):
        take_lease(jobs.conn, HOST, 1, claim, again.worker)


def test_a_lost_job_a_cancelled_one_and_one_that_asks_for_less_than_one_get_no_lease(jobs: Jobs) -> None:
    held = Held(jobs, 2)
    with pytest.raises(ValueError, match="expected a limit of at least 1 for the lease"):
        held.take(0, limit=0)
    jobs.finish(held.worker, held.rows[0], "retry")
    zeke_jobs.cancel(held.claims[1].id)
    for one in (0, 1):
        with pytest.raises(ClaimLost, match="gets no lease"):
            held.take(one)


def test_many_at_once_never_get_more_than_the_limit(jobs: Jobs, database: str) -> None:
    count, threads = 60, 8
    held = Held(jobs, count)

    def hammer(own: Jobs, first: int) -> int:
        got = 0
        for n in range(first, count, threads):
            with suppress(Defer):
                held.take(n, limit=3, conn=own.conn)
                got += 1
        return got

    assert sum(at_once(database, threads, hammer)) == 3


def test_leases_that_nobody_gave_back_are_removed(jobs: Jobs) -> None:
    held = Held(jobs, 2)
    held.take(0, "host/one")
    held.take(1, "host/two")
    jobs.complete(held.worker, held.rows[:1])
    jobs.tidy()
    assert jobs.rows("SELECT name FROM zeke_jobs.lease") == [{"name": "host/two"}]


def test_a_job_that_waits_for_a_lease_says_so(running: Running, jobs: Jobs) -> None:
    with running("  long: {handler: 'F:lease_and_wait'}"):
        first = zeke_jobs.send("long", {"story_id": "example.org"}).id
        eventually(lambda: handlers.CALLS)
        second = zeke_jobs.send("long", {"story_id": "example.org"}).id
        why = eventually(lambda: zeke_jobs.status(second).waiting_for)
        handlers.GATE.set()
        zeke_jobs.wait(first, timeout=10)
        zeke_jobs.wait(second, timeout=10)
    assert f"lease {HOST} is taken by long {first} since" in why
    assert jobs.rows("SELECT 1 FROM zeke_jobs.lease") == []
    assert zeke_jobs.status(second).retry_count == 0


def test_taking_a_lease_twice_in_one_job_is_a_mistake(running: Running, jobs: Jobs) -> None:
    with running("  twice: {handler: 'F:lease_twice', retry: {limit: 0}}"):
        error = failure("twice").attempts[-1]["error"]
    assert error["message"] == f"expected a lease that this job does not hold, got {HOST!r} for the second time"
    assert jobs.rows("SELECT 1 FROM zeke_jobs.lease") == []


def test_leases_and_progress_never_wait_for_the_connections_of_handlers(running: Running) -> None:
    with running("  a: {handler: 'F:progress_beside_db', timeout: 5s, retry: {limit: 0}}", threads=2):
        for job in [zeke_jobs.send("a").id for _ in range(4)]:
            zeke_jobs.wait(job, timeout=20)


def test_a_fake_context_remembers_leases_and_defers_where_the_test_says_so() -> None:
    ctx = FakeContext(taken_leases=[HOST])
    with ctx.lease("host/example.com", limit=3):
        pass
    with pytest.raises(Defer, match=f"lease {HOST} is taken by another job"), ctx.lease(HOST, wait=7):
        pass
    assert ctx.leased == ["host/example.com"]


def test_a_job_that_asks_while_another_gives_its_lease_back_has_it_or_learns_who_had_it(
    jobs: Jobs, database: str
) -> None:
    held = Held(jobs, 4)

    def work(mine: Jobs, n: int) -> list[str]:
        answers = []
        for _ in range(1000):
            claim = {"job": held.claims[n].id, "claim": held.claims[n].number}
            row = SQL.only(mine.conn, "lease/take", name=HOST, limit=1, worker=held.worker, **claim)
            answers.append(
                row["outcome"] if row["outcome"] == "held" or row["since"] else f"{row['outcome']} by nobody"
            )
            if row["outcome"] == "held":
                SQL.run(mine.conn, "lease/release", name=HOST, **claim)
        return answers

    assert {answer for answers in at_once(database, 4, work) for answer in answers} == {"held", "taken"}
