"""Runs jobs in a test with the real handlers and SQL, but without a worker, and sets the clock of the test database."""

import math
import time
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection
from psycopg2.extras import register_uuid

from zeke_jobs.client import reading
from zeke_jobs.config.models import Config
from zeke_jobs.core.job import Job
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import Pool, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import beat, dispatch
from zeke_jobs.worker.claim.answer import ask
from zeke_jobs.worker.claim.claims import Claim, JobMessage, by_threads
from zeke_jobs.worker.finish.outcome import SETTLED, Outcome
from zeke_jobs.worker.finish.writer import write
from zeke_jobs.worker.run.executor import Executor
from zeke_jobs.worker.run.reports import Shared
from zeke_jobs.worker.runtime import Runtime


@dataclass(frozen=True)
class Clock:
    """Is the fixture ``zeke_clock``: the clock of the test database. A stopped clock moves only by ``move`` and ``set``."""

    _url: str

    def now(self) -> datetime:
        """Return the time of the test database."""
        with closing(connect(self._url)) as conn:
            return dispatch.clock(conn)

    def set(self, moment: datetime) -> None:
        """Stop the clock at ``moment``, which must have a time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"expected a time with a zone, got {moment.isoformat()}")
        with closing(connect(self._url)) as conn:
            set_clock(conn, moment)

    def move(self, by: timedelta) -> None:
        """Move the clock forward or back."""
        self.set(self.now() + by)

    def release(self) -> None:
        """Let the clock run again."""
        with closing(connect(self._url)) as conn:
            release_clock(conn)


def set_clock(conn: Connection, moment: datetime) -> None:
    """Stop the database's clock at ``moment`` for all its sessions. Call this function for test databases only."""
    _define_now(conn, "sql", f"SELECT timestamptz '{moment.isoformat()}'")


def release_clock(conn: Connection) -> None:
    """Let the database's clock run again: ``zeke_jobs.now`` gets the definition from sql/code/01_basics.sql again."""
    _define_now(conn, "plpgsql", " BEGIN RETURN clock_timestamp(); END ")


def _define_now(conn: Connection, language: str, body: str) -> None:
    head = "CREATE OR REPLACE FUNCTION zeke_jobs.now() RETURNS timestamptz STABLE PARALLEL SAFE"
    with conn.cursor() as cursor:
        cursor.execute(f"{head} LANGUAGE {language} AS %s", (body,))


#: This runs the triggers of a commit (ends of batches, events), for a transaction that may never commit.
_AT_COMMIT = """SET CONSTRAINTS zeke_jobs.batch_add_up, zeke_jobs.event_deliver IMMEDIATE;
SET CONSTRAINTS zeke_jobs.batch_add_up, zeke_jobs.event_deliver DEFERRED"""
_EXPIRED = """SELECT q.message_id FROM zeke_jobs.queue AS q
WHERE q.state = 'queued' AND q.task = ANY (%(tasks)s) AND q.attempt = 0 AND q.expires_on <= zeke_jobs.now()"""
_NEXT = """SELECT min(m.moment) FROM (
  SELECT unnest(ARRAY[q.run_at, CASE WHEN q.attempt = 0 THEN q.expires_on END]) AS moment
  FROM zeke_jobs.queue AS q WHERE q.state = 'queued' AND q.task = ANY (%(tasks)s)
  UNION ALL SELECT zeke_jobs.now() + make_interval(secs => o.wait) FROM unnest(%(opens)s::float8[]) AS o (wait)
) AS m WHERE m.moment > zeke_jobs.now()"""


def prepare(url: str, config: Config) -> None:
    """Make a database ready for tests: create all tables, also those of ``migrations`` in jobs.yaml, and apply it.

    Raises the same MigrationError and ConfigurationError as ``zeke-jobs migrate`` and ``zeke-jobs apply``.
    """
    with closing(connect(url)) as conn:
        migrate.migrate(conn, list(config.migrations))
        installation.claim(conn)
        applying.sync(conn, config)


class JobRunner:
    """Is the fixture ``run_jobs``. The runner calls handlers as a worker does, but without timeout and middleware."""

    def __init__(self, config: Config, url: str) -> None:
        self._runtime = Runtime(config)
        self._url = url

    def __call__(self, *, raises: bool = True, waits: bool = True, connection: Connection | None = None) -> list[Job]:
        """Run the sent jobs, and the jobs that these jobs send, until no job is due.

        The method returns the jobs that ended, in the order in which they ended.

        Args:
            raises: If a job fails for good, raise the exception of its handler instead of going on.
            waits: Do not run jobs before their time. If False, move the clock of the test database forward while a job
                waits for a time. At the end, set it back: to the time of ``zeke_clock``, or to the real time.
            connection: A psycopg2 connection, in whose open transaction the jobs run, for tests that roll back.
        """
        with ExitStack() as stack:
            if connection is not None:
                register_uuid(conn_or_curs=connection)  # type: ignore[no-untyped-call]
            pool: Any = _Lent(connection) if connection else stack.enter_context(closing(Pool(self._url, max_size=3)))
            conn = stack.enter_context(pool.connection())
            run = _Run(self._runtime, pool, conn, raises=raises)
            stack.callback(run.leave)
            while run.all_due() or (not waits and run.wait()):
                pass
            return [reading.status(job, connection=conn) for job in run.ended]

    def close(self) -> None:
        """Close the services that were opened."""
        self._runtime.close()


class _Lent(NamedTuple):
    """Takes the place of a pool of connections, and gives each caller the test's own connection."""

    conn: Connection

    def connection(self) -> AbstractContextManager[Connection]:
        return nullcontext(self.conn)

    @property
    def url(self) -> str:
        what = "which has a connection of its own"
        raise RuntimeError(f"expected run_jobs() without connection= for ctx.atransaction(), {what}")


class _Run:
    """Does the work of one call of ``run_jobs``: registers as a worker, and runs jobs in the test's thread."""

    def __init__(self, runtime: Runtime, pool: Any, conn: Connection, *, raises: bool) -> None:
        self.ended: list[UUID] = []
        self._runtime, self._conn, self._raises = runtime, conn, raises
        self._clock: str | None = None  # the definition of the clock before it was moved
        self._opens: list[float] = []  # seconds until the limits that hold due jobs back may let a job start
        self._id = uuid4()
        self._executor = Executor(Shared(self._id, runtime, pool, pool), _start)
        self._tasks, self._queues = list(runtime.tasks), list(runtime.config.queues)
        row = {"revision": 1, "file_revision": 1, "lost_after": timedelta(days=1)}
        beat.register(conn, self._id, "worker", queues=self._queues, tasks=self._tasks, threads=1, **row)

    def leave(self) -> None:
        """Remove the row of this worker, and restore the clock."""
        SQL.run(self._conn, "worker/leave", worker=self._id)
        if self._clock is not None:
            with self._conn.cursor() as cursor:
                cursor.execute(self._clock)

    def all_due(self) -> bool:
        """End the jobs that missed their start deadline, and run the due jobs. Returns False if there was no job."""
        self._opens = []
        expired = [job for (job,) in self._ask(_EXPIRED)]
        if expired:
            SQL.value(self._conn, "job/expire", limit=len(expired))
            self.ended += expired
        return any(self._one(queue) for queue in self._queues) or bool(expired)

    def wait(self) -> bool:
        """Move the clock to the next time when a job is due, expires or may start under its limits; False if none."""
        [(due,)] = self._ask(_NEXT)
        if due is None:
            return False
        if self._clock is None:
            [(self._clock,)] = self._ask("SELECT pg_get_functiondef('zeke_jobs.now()'::regprocedure)")
        set_clock(self._conn, due)
        return True

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self._conn.cursor() as cursor:
            cursor.execute(sql, {"tasks": self._tasks, "opens": self._opens})
            return cursor.fetchall()

    def _one(self, queue: str) -> bool:
        if self._conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
            with self._conn.cursor() as cursor:
                cursor.execute(_AT_COMMIT)
        asked = time.monotonic()
        answer = ask(self._conn, self._id, self._tasks, queue, 1, (1, 0), is_empty=True)
        self._opens += [answer.opens_in] if answer.opens_in < math.inf else []
        for message in by_threads(
            JobMessage(row, queue, asked, is_async=row.task in self._runtime.ids[True]) for row in answer.jobs
        ):
            self._run(message)
        return bool(answer.jobs)

    def _run(self, message: JobMessage) -> None:
        error: BaseException | None = None
        self._executor.before_process_message(None, message)
        try:
            if message.claim.is_async:
                _, error = self._runtime.loop.run(self._runtime.loop.drive(self._executor.steps(message)))
            else:
                self._executor.run()
        except BaseException as raised:  # noqa: BLE001 (the exception is recorded as the job's outcome)
            error = raised
        has_failed = False
        for one in message.members:
            if one.outcome is not None and one.outcome is not SETTLED:
                list(write(self._conn, self._id, [(one.claim, one.outcome)]))
            how = "completed" if one.outcome in (None, SETTLED) else one.outcome.how
            has_failed |= how == "failed"
            if how in ("completed", "failed", "cancelled"):
                self.ended.append(one.claim.id)
        if error is not None and (not isinstance(error, Exception) or (has_failed and self._raises)):
            raise error


def _start(claim: Claim) -> Outcome | None:
    claim.started = time.monotonic()
    return None
