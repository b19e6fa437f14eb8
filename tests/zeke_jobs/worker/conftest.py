"""These fixtures add jobs to the table, claim jobs without a worker process, and run a worker in this process."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeVar
from uuid import UUID, uuid4

import dramatiq
import dramatiq_pg
import pytest
from dramatiq.actor import Actor
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

import zeke_jobs
from tests.zeke_jobs.sql import dicts
from tests.zeke_jobs.worker import handlers
from tests.zeke_jobs.working import working
from zeke_jobs import config
from zeke_jobs.core import logs
from zeke_jobs.errors import JobFailed
from zeke_jobs.postgres.pool import Pool, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.testing import set_clock
from zeke_jobs.worker.broker import JobBroker
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.life import chores
from zeke_jobs.worker.run import interrupts
from zeke_jobs.worker.run.job_context import JobContext
from zeke_jobs.worker.run.reports import Shared

T = TypeVar("T")
Running: TypeAlias = "Callable[..., AbstractContextManager[JobBroker]]"
Patch: TypeAlias = pytest.MonkeyPatch
Stock: TypeAlias = "Callable[..., Actor]"
EXTRA = [
    "batch", "cancel_reason", "cancelled_by", "idempotency_key", "keep", "progress", "schedule", "unique_key", "units", "waiting_for",
]  # fmt: skip
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def load(tasks: str, top: str = "") -> config.Config:
    """Load a jobs.yaml of these tasks; ``H`` stands for the module of test handlers."""
    text = re.sub(r"\bH:(?=\w)", "tests.zeke_jobs.worker.handlers:", f"version: 1\n{top}\ntasks:\n{tasks}")
    return config.load_text(text, "jobs.yaml")


def a_claim(job: UUID, number: int = 1, task: str = "t", **more: Any) -> Claim:
    fields = {"attempt": 0, "attempt_base": 0, "deaths": 0, "revision": 1, "scheduled_for": None}
    return Claim(job, number, task, **(fields | {"claimed_on": NOON} | more))


def a_context(
    pool: Pool, claim: Claim, worker: UUID | None = None, running: interrupts.Running | None = None
) -> JobContext:
    runtime: Any = SimpleNamespace(revision=1)
    return JobContext(claim, Shared(worker or uuid4(), runtime, pool, pool), running or interrupts.Running(60), None)


def ended(job: UUID) -> zeke_jobs.Job:
    with suppress(JobFailed):
        zeke_jobs.wait(job, timeout=30)
    return zeke_jobs.status(job)


def outcome(task: str, payload: dict[str, Any] | None = None) -> Any:
    return zeke_jobs.wait(zeke_jobs.send(task, payload).id, timeout=20)


def failure(task: str, payload: dict[str, Any] | None = None) -> zeke_jobs.Job:
    with pytest.raises(JobFailed) as caught:
        outcome(task, payload)
    return caught.value.job


def run_of(broker: JobBroker, job: UUID) -> interrupts.Running:
    claim: Any = broker.process.held.find(job)
    running: interrupts.Running = claim.running
    return running


class Jobs:
    """These methods change and read jobs through the SQL functions."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.passed = 0.0

    @cached_property
    def me(self) -> UUID:
        return self.worker()

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        return dicts(self.conn, sql, *params)

    def at(self, seconds: float = 0.0) -> None:
        """Set the clock to ``seconds`` after noon."""
        self.passed = seconds
        set_clock(self.conn, NOON + timedelta(seconds=seconds))

    def later(self, seconds: float) -> None:
        self.at(self.passed + seconds)

    def tidy(self) -> None:
        self.rows("UPDATE zeke_jobs.retention SET due_on = zeke_jobs.now()")
        chores.purge_if_due(self.conn)

    def use(self, tasks: str, top: str = "") -> config.Config:
        loaded = load(tasks, top)
        applying.sync(self.conn, loaded)
        return loaded

    def add(self, task: str, count: int = 1, *, payload: str = "{}", options: str = "{}") -> list[UUID]:
        """Send jobs; more than 20 jobs are sent in one call."""
        if count > 20:
            said = json.loads(options)
            keys = [said.pop("key")] * count if "key" in said else None
            sent = zeke_jobs.send_many(task, [json.loads(payload)] * count, keys=keys, connection=self.conn, **said)
            return [one.id for one in sent]
        sql = "SELECT zeke_jobs.send(%s, %s::jsonb, %s::jsonb) AS id FROM generate_series(1, %s)"
        return [row["id"] for row in self.rows(sql, task, payload, options, count)]

    def worker(self, worker: UUID | None = None, *, queues: Iterable[str] = ("default",), **columns: Any) -> UUID:
        """Register a worker, by default a new one. It serves the tasks in ``tasks``, or all tasks if none are given."""
        worker = worker or uuid4()
        usual = {"kind": "worker", "host": "here", "pid": 1, "version": "1", "threads": 8, "revision": 1, "file_revision": 1}  # fmt: skip
        said = {**usual, "tasks": self._all_tasks(), "lost_after": timedelta(seconds=20), **columns}
        SQL.run(self.conn, "worker/register", id=worker, queues=list(queues), **said)
        return worker

    def look(
        self, worker: UUID, want: int, tasks: list[str] | None = None, queue: str = "default", **said: Any
    ) -> list[dict[str, Any]]:
        """Claim jobs for a worker that serves these tasks, by default all; return all rows of the SQL function ``claim``."""
        tasks = tasks if tasks is not None else self._all_tasks()
        options = {"revision": None, "is_empty": False, "free": None, "ahead": 0, **said}
        sql = "SELECT * FROM zeke_jobs.claim(%s::uuid, %s, %s::text[], %s, %s, %s, %s, %s)"
        return self.rows(sql, worker, queue, tasks, want, *options.values())

    def claim(
        self, worker: UUID, want: int, tasks: list[str] | None = None, queue: str = "default", *, is_empty: bool = True
    ) -> list[dict[str, Any]]:
        """Claim jobs for a worker that serves these tasks, by default all; return the claimed jobs."""
        rows = self.look(worker, want, tasks, queue, is_empty=is_empty, revision=1)
        return [row for row in rows if row["kind"] == "job"]

    def start(self, worker: UUID, claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Mark claims as started, as a heartbeat does."""
        ids, numbers = [claim["message_id"] for claim in claims], [claim["claim"] for claim in claims]
        return SQL.all(self.conn, "job/mark_started", worker=worker, ids=ids, claims=numbers, after=[0.0] * len(claims))

    def complete(self, worker: UUID, claims: list[dict[str, Any]], result: str = "null") -> list[UUID]:
        """Complete claims; return the jobs whose claims were current."""
        sql = "SELECT unnest(zeke_jobs.move(%s::uuid[], 'completed', '{}', %s, %s::bigint[], %s::float[], %s::float[], %s)) AS id"
        ids, numbers = [claim["message_id"] for claim in claims], [claim["claim"] for claim in claims]
        ends = [0.0] * len(claims), [None] * len(claims), [result] * len(claims)
        return [row["id"] for row in self.rows(sql, ids, worker, numbers, *ends)]

    def hand_back(self, worker: UUID, claims: list[dict[str, Any]], after: float | None = None) -> list[UUID]:
        """Put claimed jobs back into the queue, by default before they start; return the jobs whose claims were not current."""
        ids, numbers = [one["message_id"] for one in claims], [one["claim"] for one in claims]
        said: dict[str, Any] = dict.fromkeys(("after", "took"), [after] * len(claims))
        said |= {"to": "returned", "worker": worker, "results": None}
        return [row["id"] for row in SQL.all(self.conn, "job/end", ids=ids, claims=numbers, **said)]

    def used(self, claim: dict[str, Any], **units: float) -> None:
        self.rows("SELECT zeke_jobs.report(%s, %s, %s)", claim["message_id"], claim["claim"], Json(units))

    def fence(self, worker: UUID, job: UUID, claim: int, result: str | None = None) -> bool:
        said = {"worker": worker, "id": job, "claim": claim}
        return bool(SQL.only(self.conn, "job/fence", **said, after=0.0, result=result)["ours"])

    def finish(self, worker: UUID, claim: dict[str, Any], outcome: str, **said: Any) -> bool:
        ended = {"worker": worker, "id": claim["message_id"], "claim": claim["claim"], "outcome": outcome}
        usual = dict.fromkeys(("until", "reason", "error", "took"))
        said = {**usual, "after": 0.0, "delay": 0.0, "revision": 1, "breaks": False, **said}
        return bool(SQL.only(self.conn, "job/finish", **ended, **said)["ours"])

    def end(
        self, how: str = "completed", want: int = 1, tasks: list[str] | None = None, **said: Any
    ) -> list[dict[str, Any]]:
        claims = self.claim(self.me, want, tasks)
        if how == "completed":
            self.complete(self.me, claims, **said)
        else:
            for claim in claims:
                self.finish(self.me, claim, how, **said)
        return claims

    def idle(self, queues: str = "default") -> bool:
        """Say whether some worker has asked to be woken for exactly these queues."""
        return bool(self.rows("SELECT 1 FROM zeke_jobs.worker WHERE idle @> %s AND idle <@ %s", *[f"{{{queues}}}"] * 2))

    def beat(self, worker: UUID, *, stopping: bool = False) -> dict[str, Any]:
        return SQL.only(self.conn, "worker/heartbeat", worker=worker, busy=0, revision=1, stopping=stopping)

    def _all_tasks(self) -> list[str]:
        return [row["id"] for row in self.rows("SELECT id FROM zeke_jobs.task")]

    def row(self, job: UUID) -> dict[str, Any]:
        tables = "zeke_jobs.queue AS q LEFT JOIN zeke_jobs.cost AS c ON c.job = q.message_id"
        (row,) = self.rows(f"SELECT q.*, c.cost, c.currency FROM {tables} WHERE q.message_id = %s", job)
        return {**dict.fromkeys(EXTRA), **row, **(row["extra"] or {})}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget earlier calls of handlers, and release waiting handlers when the test ends."""
    handlers.CALLS.clear()
    handlers.GATE.clear()
    yield
    handlers.GATE.set()


@pytest.fixture
def jobs(conn: Connection) -> Jobs:
    return Jobs(conn)


def jobs_of(tasks: str, *, at_noon: bool = True) -> Any:
    """Make a fixture ``jobs`` with these tasks, by default with a clock that stands at noon."""

    @pytest.fixture
    def jobs(conn: Connection) -> Jobs:
        made = Jobs(conn)
        made.use(tasks)
        if at_noon:
            made.at()
        return made

    return jobs


@pytest.fixture
def pool(database: str) -> Iterator[Pool]:
    opened = Pool(database, max_size=1)  # as each thread has
    yield opened
    opened.close()


@pytest.fixture
def running(database: str) -> Running:
    """Run a worker in this process, with all its threads: ``with running(tasks) as broker``."""

    def start(tasks: str, top: str = "", **how: Any) -> AbstractContextManager[JobBroker]:
        return working(load(tasks, top), database, **how)

    return start


def at_once(url: str, count: int, work: Callable[[Jobs, int], T]) -> list[T]:
    """Run ``work`` in several threads at once, each with a number and a new connection; return the results."""

    def run(number: int) -> T:
        with closing(connect(url)) as conn:
            return work(Jobs(conn), number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def one_worker(tasks: str, top: str = "") -> Any:
    """Make a fixture ``worker`` that runs one worker with a new database for all tests of a module."""

    @pytest.fixture(scope="module")
    def worker(module_database: str) -> Iterator[JobBroker]:
        with pytest.MonkeyPatch.context() as patch, working(load(tasks, top), module_database) as broker:
            patch.setenv("DATABASE_URL", module_database)
            yield broker

    return worker


@pytest.fixture
def table(worker: JobBroker) -> Iterator[Jobs]:
    with closing(connect(worker.process.url)) as conn:
        yield Jobs(conn)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Configure the log as plain text, not as JSON; yield the stream to which it is written."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    written = io.StringIO()
    logs.configure(written, json=False)
    yield written
    logging.getLogger().handlers[:] = before[0]
    logging.getLogger().setLevel(before[1])
    logging.captureWarnings(capture=False)


@pytest.fixture
def stock(database: str) -> Stock:
    """Make actors of an unmodified dramatiq-pg, which write their messages to ``zeke_jobs.queue``."""

    def actor(name: str, *, results: bool = False) -> Actor:
        broker = dramatiq_pg.PostgresBroker(url=database, schema="zeke_jobs", prefix="", results=results)
        return dramatiq.actor(lambda **_: None, actor_name=name, broker=broker, queue_name="default")

    return actor


@pytest.fixture
def sentry(monkeypatch: Patch) -> Iterator[list[dict[str, Any]]]:
    """Collect the events that a program sends to Sentry, without integrations that take three seconds to import."""
    import sentry_sdk
    from sentry_sdk.transport import Transport

    events: list[dict[str, Any]] = []

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            found = [event for item in envelope.items if (event := item.get_event()) is not None]
            events.extend(json.loads(json.dumps(event, default=str)) for event in found)

    monkeypatch.setenv("SENTRY_DSN", "http://key@127.0.0.1:1/1")
    init = partial(sentry_sdk.init, transport=Kept(), auto_enabling_integrations=False)
    monkeypatch.setattr(sentry_sdk, "init", init)
    yield events
    # sentry-sdk's integrations would change the environment of other tests' processes.
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
