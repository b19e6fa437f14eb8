"""Each job of a batch is counted once, and each wait for an event ends, whichever statement the connection breaks at."""

import json
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.worker.conftest import NOON, Jobs, a_claim, a_context, jobs_of
from zeke_jobs.core import bounds
from zeke_jobs.core.job import Event
from zeke_jobs.diagnosis import why
from zeke_jobs.errors import BatchClosed, BatchNotFound, ClaimLost, InvalidPayload, UnknownTask
from zeke_jobs.postgres.pool import Cursor, Pool, connect, transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.testing import FakeContext, JobRunner

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
MOST = 400  # A life that runs more statements than MOST never ends.

#: The connections in SPARED, by which a test reads, are never broken.
SPARED: list[Any] = []


@contextmanager
def cut(number: int, *, after: bool) -> Iterator[list[int]]:
    """Break the connection before or after the worker's n-th statement; yield the number of statements left."""
    left, plain = [number], Cursor.execute

    def execute(cursor: Any, query: Any, vars: Any = None) -> None:  # noqa: A002 (psycopg2's own name)
        counts = cursor.connection not in SPARED
        left[0] -= counts
        breaks = counts and left[0] == 0
        if after or not breaks:
            plain(cursor, query, vars)
        if breaks:
            cursor.connection.close()
            raise psycopg2.OperationalError("the line is cut")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cursor, "execute", execute)
        yield left


class Life:
    """Workers run a database's jobs one after another. A worker counts as dead when its connection breaks."""

    def __init__(self, url: str, jobs: Jobs) -> None:
        self.jobs, self.later = jobs, jobs.later
        SPARED[:] = [jobs.conn]
        self.run = JobRunner(jobs.use(TASKS), url)
        jobs.at()

    def drain(self) -> None:
        """Run jobs until none is due, none waits for a retry, and none is still claimed by a dead worker."""
        left = """SELECT 1 FROM zeke_jobs.queue
          WHERE state = 'consumed' OR state = 'queued' AND attempt > 0 AND extra ->> 'waiting_for' IS NULL LIMIT 1"""
        for _ in range(50):
            try:
                if self.run(raises=False):
                    continue
                if not self.jobs.rows(left):
                    return
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.jobs.rows("DELETE FROM zeke_jobs.worker")
            self.later(61)
            SQL.all(self.jobs.conn, "worker/rescue")
        raise AssertionError("the queue was not drained by fifty workers")


def every_break(act: Callable[[], None], verify: Callable[[], None], reset: Callable[[], None]) -> int:
    """Run ``act`` repeatedly, break the connection at a later statement each time, verify; return the number of statements.

    It breaks after every fifth statement. With ``ZEKE_TEST_DEEP=1``, it breaks once before and once after every statement.
    """
    for after in (True, False) if DEEP else (True,):
        for number in count(1) if DEEP else count(random.randint(1, 5), 5):
            assert number < MOST
            reset()
            with cut(number, after=after) as left:
                act()
            verify()
            if left[0] > 0:
                break
    return number - left[0]


TASKS = """
  a: {handler: 'H:echo'}
  report: {handler: 'H:echo'}
  spread: {handler: 'H:spread', retry: {limit: 9}}
  gather: {handler: 'H:gather', retry: {limit: 9}}
  await: {handler: 'H:await_event', retry: {limit: 0}}
  await-more: {handler: 'H:await_event', retry: {limit: 5}}
"""
jobs = jobs_of(TASKS, at_noon=False)
END = ("report", {"n": {"$batch": "completed"}, "storyId": {"$batch": "id"}})


def reports(jobs: Jobs) -> list[dict[str, Any]]:
    found = jobs.rows("SELECT data FROM zeke_jobs.job WHERE name = 'report' ORDER BY created_on")
    return [row["data"] for row in found]


def finish_all(jobs: Jobs, outcome: str = "completed", task: str = "a") -> None:
    jobs.end(outcome, 1000, [task])


def test_the_job_at_the_end_is_sent_with_the_last_end_and_knows_the_counts_of_jobs_that_were_made(jobs: Jobs) -> None:
    sent = zeke_jobs.send_many("a", [{"n": n} for n in range(6)], batch="import-42", then=END)
    zeke_jobs.cancel(sent[0].id)
    claims = jobs.claim(jobs.me, 5)
    jobs.finish(jobs.me, claims[0], "failed")
    for claim in claims[1:4]:
        jobs.complete(jobs.me, [claim])
        assert reports(jobs) == []
    now = zeke_jobs.batch_status("import-42")
    assert (now.status, now.jobs, now.unfinished, now.finished) == ("running", 6, 1, 5)
    assert (now.completed, now.failed, now.cancelled) == (3, 1, 1)
    jobs.complete(jobs.me, claims[4:])
    assert reports(jobs) == [{"n": 4, "story_id": "import-42"}]
    ended = zeke_jobs.batch_status("import-42")
    assert (ended.status, ended.then_outcome) == ("ended", "created")
    assert ended.then_job is not None
    assert zeke_jobs.status(ended.then_job).task_id == "report"
    assert zeke_jobs.status(sent[0].id).batch == "import-42"
    zeke_jobs.send("a", {"n": 1}, unique="n")
    sent = zeke_jobs.send_many("a", [{"n": 1}, {"n": 2}, {"n": 2}], batch="b", unique="n", then=END)
    assert [one.duplicate for one in sent] == [True, False, True]
    assert zeke_jobs.batch_status("b").jobs == 1
    assert zeke_jobs.send_many("a", [], batch="c", then=END) == []
    assert reports(jobs)[1:] == [{"n": 0, "story_id": "c"}]


def test_a_failed_job_holds_the_end_up_and_a_retry_after_the_end_sends_nothing(jobs: Jobs) -> None:
    for batch, release in (("one", zeke_jobs.retry), ("two", zeke_jobs.cancel)):
        (job,) = zeke_jobs.send_many("a", [{}], batch=batch, then=("report", {}), after_failure="hold")
        before = len(reports(jobs))
        finish_all(jobs, "failed")
        assert (zeke_jobs.batch_status(batch).status, len(reports(jobs))) == ("held", before)
        assert release(job.id).changed
        finish_all(jobs)
        assert (zeke_jobs.batch_status(batch).status, len(reports(jobs))) == ("ended", before + 1)
    (job,) = zeke_jobs.send_many("a", [{}], batch="b", then=("report", {}))
    finish_all(jobs, "failed")
    zeke_jobs.retry(job.id)
    finish_all(jobs)
    assert len(reports(jobs)) == 3
    assert (zeke_jobs.batch_status("b").completed, zeke_jobs.batch_status("b").failed) == (1, 0)


def test_the_name_of_a_batch_is_free_again_ninety_days_after_its_end_if_none_of_its_jobs_is_left(jobs: Jobs) -> None:
    jobs.at()
    zeke_jobs.send_many("a", [{}], batch="b")
    zeke_jobs.send_many("a", [{}], batch="kept", keep=timedelta(days=100))
    finish_all(jobs)
    for days in (8, 89.9, 90.1):  # The purge on day 8 removes the job.
        jobs.at(days * 86400)
        jobs.tidy()
        left = {row["id"] for row in jobs.rows("SELECT id FROM zeke_jobs.batch")}
        assert left == ({"b", "kept"} if days < 90 else {"kept"})
    assert zeke_jobs.send("a", batch="b").status == "created"


def test_a_batch_that_was_closed_by_python_or_sql_takes_no_more_jobs(jobs: Jobs) -> None:
    jobs.rows("""SELECT zeke_jobs.open_batch('b', 'report', '{"n": {"$batch": "jobs"}}')""")
    jobs.add("a", 2, options='{"batch": "b"}')
    assert [jobs.rows("SELECT zeke_jobs.close_batch('b') AS it")[0]["it"] for _ in range(2)] == [True, False]
    zeke_jobs.send_many("a", [{}], batch="c")
    for send in (
        lambda batch: zeke_jobs.send("a", batch=batch),
        lambda batch: zeke_jobs.send_many("a", [{}], batch=batch),
        lambda batch: zeke_jobs.send_many("a", [{}], batch=batch, then=("report", {})),
        zeke_jobs.batch,
    ):
        for batch in ("b", "c"):
            with pytest.raises(BatchClosed, match=f"got '{batch}', which was closed"):
                send(batch)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState):
        jobs.add("a", options='{"batch": "c"}')
    assert [zeke_jobs.batch_status(batch).jobs for batch in ("b", "c")] == [2, 1]
    finish_all(jobs)
    assert reports(jobs) == [{"n": 2}]


def test_a_program_opens_a_batch_adds_to_it_and_closes_it_unless_its_block_fails(jobs: Jobs) -> None:
    with zeke_jobs.batch("b", then=END) as batch:
        batch.send("a", {"n": 1})
        finish_all(jobs)
        assert zeke_jobs.batch_status("b").status == "open"
        batch.send_many("a", [{}, {}])
    assert reports(jobs) == []
    finish_all(jobs)
    assert reports(jobs) == [{"n": 3, "story_id": "b"}]
    batch.close()
    with pytest.raises(ValueError, match="no"), zeke_jobs.batch("c", then=END):
        raise ValueError("no")
    with zeke_jobs.batch("c", then=END):
        pass  # The second try finds no job of the batch.
    assert reports(jobs)[1:] == [{"n": 0, "story_id": "c"}]


def test_a_run_that_has_lost_its_job_adds_nothing_to_its_batch(jobs: Jobs, pool: Pool) -> None:
    (sent,) = zeke_jobs.send_many("a", [{}], batch="b")
    (claim,) = jobs.claim(jobs.me, 1)
    ctx = a_context(pool, a_claim(sent.id, claim["claim"], "a", batch="b"), jobs.me)
    ctx.send("a", batch="b")
    jobs.rows("UPDATE zeke_jobs.queue SET claim = claim + 1")
    with pytest.raises(ClaimLost):
        ctx.send("a", batch="b")
    ctx.close()
    assert zeke_jobs.batch_status("b").jobs == 2


def test_the_end_is_checked_when_the_batch_is_made(jobs: Jobs) -> None:
    with pytest.raises(UnknownTask):
        zeke_jobs.send_many("a", [{}], batch="b", then=("reprot", {}))
    with pytest.raises(InvalidPayload, match="storyid"):
        zeke_jobs.send_many("a", [{}], batch="b", then=("report", {"storyid": "x"}))
    with pytest.raises(ValueError, match="got faild"):
        zeke_jobs.send_many("a", [{}], batch="b", then=("report", {"n": {"$batch": "faild"}}))
    with pytest.raises(ValueError, match="with a batch, got none"):
        zeke_jobs.send_many("a", [{}], then=("report", {}))
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="got m"):
        jobs.rows("""SELECT zeke_jobs.open_batch('b', 'report', '{"m": 1}')""")
    with pytest.raises(BatchNotFound):
        zeke_jobs.batch_status("b")


def test_neither_a_full_queue_nor_a_task_that_is_gone_stops_the_end(jobs: Jobs) -> None:
    jobs.use("  a: {handler: 'H:echo'}\n  report: {handler: 'H:echo', max_queued: 1}")
    zeke_jobs.send("report")
    zeke_jobs.send_many("a", [{}], batch="b", then=("report", {}))
    finish_all(jobs)
    assert len(reports(jobs)) == 2
    zeke_jobs.send_many("a", [{}], batch="c", then=("report", {}))
    finish_all(jobs, task="report")
    jobs.use("  a: {handler: 'H:echo'}")
    finish_all(jobs)
    now = zeke_jobs.batch_status("c")
    assert (now.status, now.completed, now.then_job, now.then_outcome) == ("ended", 1, None, "unknown")


def test_a_cancelled_batch_sends_nothing_until_it_is_retried(jobs: Jobs) -> None:
    zeke_jobs.send_many("a", [{}, {}], batch="b", then=END)
    (claim,) = jobs.claim(jobs.me, 1)
    assert len(zeke_jobs.cancel_batch("b", "a mistake", by="me")) == 2
    jobs.finish(jobs.me, claim, "cancelled")
    assert (zeke_jobs.batch_status("b").status, reports(jobs)) == ("cancelled", [])
    (last,) = jobs.rows("SELECT action, target, reason FROM zeke_jobs.audit ORDER BY number DESC LIMIT 1")
    assert last == {"action": "cancel", "target": "batch/b", "reason": "a mistake"}
    assert len(zeke_jobs.retry_batch("b")) == 2
    finish_all(jobs)
    assert reports(jobs) == [{"n": 2, "story_id": "b"}]
    zeke_jobs.send_many("a", [{}], batch="c", then=END, after_failure="hold")
    finish_all(jobs, "failed")
    assert len(zeke_jobs.retry_batch("c")) == 1
    with pytest.raises(BatchNotFound):
        zeke_jobs.cancel_batch("d")


def test_neither_an_unseen_end_nor_an_open_send_holds_up_a_worker(jobs: Jobs, other_conn: Connection) -> None:
    zeke_jobs.send_many("a", [{}, {}], batch="b", then=END)
    one, other = jobs.claim(jobs.me, 2)
    others = Jobs(other_conn)
    jobs.rows("SET lock_timeout = '1s'")
    with transaction(jobs.conn):
        jobs.complete(jobs.me, [one])
        others.rows("SET lock_timeout = '1s'")
        others.complete(jobs.me, [other])  # The open transaction does not block the end of another job.
        assert reports(others) == []
    assert len(reports(jobs)) == 1
    batch = zeke_jobs.batch("c", then=END)
    batch.send_many("a", [{}] * 40)
    claims = jobs.claim(jobs.me, 40)
    with transaction(other_conn):
        zeke_jobs.send("a", batch="c", connection=other_conn)
        assert len(jobs.complete(jobs.me, claims)) == 40
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            jobs.rows("SELECT zeke_jobs.close_batch('c')")  # Closing the batch waits for the sender's transaction.
    batch.close()
    assert len(reports(jobs)) == 1
    finish_all(jobs)
    assert reports(jobs)[1:] == [{"n": 41, "story_id": "c"}]


def test_whatever_statement_breaks_a_batch_ends_exactly_once(jobs: Jobs, life: Life) -> None:
    def reset() -> None:
        jobs.rows("TRUNCATE zeke_jobs.queue, zeke_jobs.batch, zeke_jobs.batch_open, zeke_jobs.worker CASCADE")
        zeke_jobs.send("gather", {"n": 3})

    def verify() -> None:
        assert jobs.rows("SELECT task, state::text FROM zeke_jobs.queue WHERE state <> 'done'") == []
        (found,) = reports(jobs)
        assert found["n"] >= 5
        assert jobs.rows("SELECT * FROM zeke_jobs.batch_change") == []
        counted = jobs.rows("SELECT jobs::int, completed::int FROM zeke_jobs.batch_state")
        real = jobs.rows("SELECT count(*)::int AS n FROM zeke_jobs.queue WHERE extra ? 'batch'")[0]["n"]
        assert counted == [{"jobs": real, "completed": real}]

    assert every_break(life.drain, verify, reset) > 20


def test_a_fake_context_remembers_batches_has_the_given_events_and_takes_none_for_a_default() -> None:
    ctx = FakeContext(batch_id="outer")
    handlers.spread(handlers.Number(n=2), ctx)
    assert [(call.task, call.options["batch"]) for call in ctx.sent] == [("a", "outer")] * 2
    ctx = FakeContext()
    with ctx.batch("of-one", then=("report", {})) as batch:
        batch.send_many("a", [{}, {}])
    assert ctx.batches == {"of-one": (("report", {}), "send")}
    assert [call.options for call in ctx.sent] == [{"batch": "of-one"}] * 2
    ctx = FakeContext(others=None, services=None, job_id=None, steps=None, events=None, timed_out=iter(["a"]))  # type: ignore[arg-type]
    assert isinstance(ctx.job_id, UUID)
    assert ctx.step("sum", lambda: 2) == 2
    assert ctx.event("a") == ctx.event("a") == Event("a", timed_out=True)
    with pytest.raises(RuntimeError, match="services"):
        ctx.service("web")
    payload = handlers.Number(n=1)
    with pytest.raises(zeke_jobs.WaitFor, match="event callback/1"):
        handlers.await_event(payload, FakeContext())
    assert handlers.await_event(payload, FakeContext(events={"callback/1": 3}))["data"] == 3
    assert handlers.await_event(payload, FakeContext(timed_out=["callback/1"]))["timed_out"]


def test_a_transaction_adds_its_changes_up_once_whatever_it_rolls_back_and_whenever_it_adds_up(jobs: Jobs) -> None:
    zeke_jobs.send_many("a", [{}] * 10, batch="import-42", then=END)

    def end(count: int) -> None:
        assert len(jobs.complete(jobs.me, jobs.claim(jobs.me, count, ["a"]))) == count

    with jobs.conn.cursor() as cursor:
        with transaction(jobs.conn):
            cursor.execute("SAVEPOINT one")
            end(10)
            cursor.execute("ROLLBACK TO one")
            end(4)
            cursor.execute("SET CONSTRAINTS zeke_jobs.batch_add_up IMMEDIATE")
            cursor.execute("SET CONSTRAINTS zeke_jobs.batch_add_up DEFERRED")
            assert zeke_jobs.batch_status("import-42", connection=jobs.conn).completed == 4
            cursor.execute("SAVEPOINT two")
            end(3)
            cursor.execute("RELEASE two")
        assert zeke_jobs.batch_status("import-42").completed == 7
        end(3)
    assert zeke_jobs.batch_status("import-42").status == "ended"
    assert len(reports(jobs)) == 1
    assert jobs.rows("SELECT 1 FROM zeke_jobs.batch_change") == []


@pytest.fixture
def life(jobs: Jobs, database: str) -> Life:
    return Life(database, jobs)


def outcome(job: Any) -> tuple[str, Any]:
    now = zeke_jobs.status(job)
    return now.status, now.output


def test_an_event_wakes_all_jobs_that_wait_for_it_with_its_data_and_no_other_once_its_emitter_commits(
    life: Life, jobs: Jobs, other_conn: Connection
) -> None:
    job, beside, elsewhere = (zeke_jobs.send("await", {"n": n}).id for n in (42, 42, 7))
    life.drain()
    now = zeke_jobs.status(job)
    assert (now.status, now.waiting_for, now.run_at) == ("created", "event callback/42", NOON + timedelta(hours=1))
    (found,) = [one for one in why.why(jobs.conn, job).reasons if one.kind == "waits-for-event"]
    assert "'callback/42'" in found.sentence
    assert "2026-03-10 13:00" in found.sentence
    with transaction(other_conn):
        zeke_jobs.emit("callback/42", {"status": "paid"}, connection=other_conn)
        life.drain()  # An emitter that does not commit holds up no worker.
        assert zeke_jobs.status(job).waiting_for == "event callback/42"
    life.drain()
    said = ("completed", {"data": {"status": "paid"}, "timed_out": False, "attempt": 1})
    assert outcome(job) == outcome(beside) == said
    assert zeke_jobs.status(elsewhere).status == "created"
    for seconds, kept in ((30 * 86400 - 30, 1), (61, 0)):
        life.later(seconds)
        jobs.tidy()
        assert len(jobs.rows("SELECT * FROM zeke_jobs.event")) == kept, "for thirty days"


def test_a_timeout_is_an_outcome_and_a_job_that_is_run_early_by_hand_waits_on_to_it(life: Life, jobs: Jobs) -> None:
    job = zeke_jobs.send("await-more", {"n": 42}).id
    life.drain()
    life.later(600)
    jobs.rows("UPDATE zeke_jobs.queue SET run_at = zeke_jobs.now()")
    life.drain()
    assert zeke_jobs.status(job).run_at == NOON + timedelta(hours=1)
    life.later(3001)
    life.drain()
    assert outcome(job) == ("completed", {"data": None, "timed_out": True, "attempt": 1})
    zeke_jobs.emit("callback/42")  # An event after the timeout changes nothing.
    life.drain()


def test_names_data_and_timeouts_are_checked_and_data_may_be_as_large_as_an_output(life: Life, jobs: Jobs) -> None:
    data = '"' + "x" * bounds.LARGEST + '"'
    for name, said in (("", "1"), ("x" * 1025, "1"), ("x", "[" * 101 + "]" * 101), ("x", None), ("callback/1", data)):
        with pytest.raises(psycopg2.errors.InvalidParameterValue, match="at most 1 MiB, got" if said == data else None):
            jobs.rows("SELECT zeke_jobs.emit(%s, %s)", name, said)
    for call in (
        lambda: zeke_jobs.emit(""),
        lambda: zeke_jobs.emit("x", float("nan")),
        lambda: zeke_jobs.emit("callback/1", json.loads(data)),
        lambda: zeke_jobs.WaitFor("x" * 2000, 1),
        lambda: zeke_jobs.WaitFor("x", 1e12),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()
    job = zeke_jobs.send("await", {"n": 1}).id
    life.drain()
    many = json.dumps(["x" * 101] * 10_060, separators=(",", ":"))  # jsonb adds 10,059 spaces to 1,046,241 bytes.
    jobs.rows("SELECT zeke_jobs.emit('callback/1', %s)", many)
    life.drain()
    assert outcome(job)[1]["data"] == json.loads(many)


def test_of_waits_and_events_at_the_same_moment_none_miss_each_other(life: Life, database: str) -> None:
    ids = [zeke_jobs.send("await", {"n": n}).id for n in range(40)]

    def emit_all() -> None:
        with closing(connect(database)) as conn:
            for n in range(40):
                zeke_jobs.emit(f"callback/{n}", n, connection=conn)

    with ThreadPoolExecutor(1) as threads:
        emitted = threads.submit(emit_all)
        life.drain()
        emitted.result()
    life.drain()
    assert [zeke_jobs.status(job).output["data"] for job in ids] == list(range(40))


def test_whatever_statement_breaks_the_event_arrives(jobs: Jobs, life: Life) -> None:
    def reset() -> None:
        jobs.rows("TRUNCATE zeke_jobs.queue, zeke_jobs.event, zeke_jobs.wait, zeke_jobs.worker CASCADE")
        zeke_jobs.send("await-more", {"n": 1})

    def act() -> None:
        life.drain()
        jobs.rows("SELECT zeke_jobs.emit('callback/1', '5')")
        life.drain()

    def verify() -> None:
        ended = jobs.rows("SELECT state::text, result -> 'data' AS data FROM zeke_jobs.queue")
        assert ended == [{"state": "done", "data": 5}]

    assert every_break(act, verify, reset) > 8
