"""Gives a handler the context of its job: a connection, and transactions that commit only while the process holds the job."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.client import sending
from zeke_jobs.client.batches import close, open_
from zeke_jobs.core.batch import AfterFailure, Batch, Then
from zeke_jobs.core.job import Event, Sent, check_name
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import ClaimLost, Defer, QueueFull
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.session import renew
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.run.interrupts import Running
from zeke_jobs.worker.run.reports import Reports, Shared

_WAIT_WHEN_FULL = 30.0  # seconds before a job that met a full queue is tried again


class JobContext(Reports):
    """Implements ``Context`` for a handler in a thread."""

    def __init__(self, claim: Claim, shared: Shared, running: Running, settings: Any) -> None:
        super().__init__(claim, shared)
        self.job_id, self.task_id, self.attempt = claim.id, claim.task, claim.attempt + 1
        self.revision = shared.runtime.revision
        self.scheduled_for = claim.scheduled_for
        self.batch_id = claim.batch
        self.settings = settings
        self.logger = get_logger("zeke_jobs.job", task=claim.task, job_id=str(claim.id), attempt=self.attempt)
        self.completed = False  # whether ``complete`` has written the outcome
        self._runtime, self._pool = shared.runtime, shared.pool
        self._running = running
        self._exits = ExitStack()
        self._conn: Connection | None = None
        self._was_used = False  # whether the handler may have changed settings of the connection
        self._in_transaction = False
        self.mates: Sequence[JobContext] = ()  # the chunk's contexts, which take turns with the only connection
        self.output: Any = None  # the argument of ``complete``
        self._output: str | None = None

    @property
    def db(self) -> Connection:
        self._check_may_block("db")
        self._was_used = True
        return self._connection()

    def _connection(self) -> Connection:
        if self._conn is None or (self._conn.closed and not self._in_transaction):
            self._drop_connection()  # give the dead connection back first, because the pool has one for each thread
            for one in self.mates:
                one.give_way()
            self._conn = self._exits.enter_context(self._pool.connection())
            self._running.stoppers.append(self._conn.cancel)
            self._exits.callback(self._release, self._conn)
        return self._conn

    def transaction(self) -> AbstractContextManager[Connection]:
        self._check_may_block("transaction")
        self._was_used = True
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._checkpoint(), transaction(self._connection()) as conn:
            yield conn
            self._fence(conn)

    @contextmanager
    def _checkpoint(self) -> Iterator[None]:
        if self._in_transaction:
            raise RuntimeError("expected no open ctx.transaction(), got one; a transaction has no transaction inside")
        if self.completed:
            raise ClaimLost(f"job {self.job_id} is completed; nothing after that may commit")
        self._in_transaction, self._output = True, None
        try:
            yield
            # Set ``completed`` only after the commit, so that the job is retried if the commit fails.
            self.completed = self._output is not None
        finally:
            self._in_transaction = False

    def _fence(self, conn: Connection) -> None:
        self._check_fence(SQL.value(conn, "job/fence", **self._before_fence()))

    def _before_fence(self) -> dict[str, Any]:
        if self._running.interrupt is not None:
            raise self._running.interrupt  # the handler caught the interrupt and went on
        return {"after": self._claim.after or 0.0, "result": self._output, **self._held}

    def _check_fence(self, ours: Any) -> None:
        if not ours:
            raise ClaimLost(f"job {self.job_id} is no longer ours, or was cancelled; nothing was committed")

    def complete(self, output: Any = None) -> None:
        text = json_text.encode(output)
        if self._in_transaction:
            self.output, self._output = output, text
            return
        self._check_may_block("complete")
        self.output = output
        with self._transaction():
            self._output = text

    def send(self, task: str, payload: Mapping[str, Any] | None = None, **options: Any) -> Sent:
        self._check_may_block("send")
        with deferring_when_full(), self._fenced(options.get("batch")) as conn:
            return sending.send(task, payload, parent=self.job_id, connection=conn, **options)

    def send_many(self, task: str, payloads: Iterable[Mapping[str, Any]], **options: Any) -> list[Sent]:
        self._check_may_block("send_many")
        with deferring_when_full(), self._fenced(options.get("batch")) as conn:
            return sending.send_many(task, payloads, parent=self.job_id, connection=conn, **options)

    def _fenced(self, batch: str | None) -> AbstractContextManager[Connection]:
        """Return a connection for sending. For the job's own batch, it is in a transaction that ``_fence`` checks."""
        is_own = batch is not None and batch == self.batch_id
        return self._transaction() if is_own and not self._in_transaction else nullcontext(self._connection())

    def _kept_steps(self) -> dict[str, str]:
        return {row["name"]: row["result"] for row in SQL.all(self._connection(), "step/list", id=self.job_id)}

    def _keep_step(self, name: str, result: str) -> str:
        with nullcontext(self._connection()) if self._in_transaction else self._transaction() as conn:
            return self._check_kept(name, SQL.value(conn, "step/keep", name=name, result=result, **self._held))

    def _check_kept(self, name: str, kept: str | None) -> str:
        if kept is None:
            raise ClaimLost(f"job {self.job_id} is no longer ours; the result of step {name} was not kept")
        return kept

    def event(self, name: str) -> Event | None:
        self._check_may_block("event")
        row = SQL.one(self._connection(), "event/of_job", id=self.job_id, event=check_name(name))
        if row is None:
            return None
        return Event(name, json.loads(row["data"] or "null"), row["timed_out"])

    def batch(self, id: str, *, then: Then | None = None, after_failure: AfterFailure = "send") -> Batch:  # noqa: A002 (the field's word)
        self._check_may_block("batch")
        open_(id, then, after_failure, self._connection())
        return Batch(id, self.send, self.send_many, lambda: close(id, self._connection()))

    def service(self, name: str) -> Any:
        return self._runtime.service(name)

    def settings_of(self, task: str) -> Any:
        found = self._runtime.tasks.get(task)
        return found and found.settings

    def give_way(self) -> None:
        """Give the connection back, so that another job of the chunk can use it. Raises RuntimeError if a transaction is open."""
        if self._in_transaction and self._conn is not None:
            raise RuntimeError("expected one open transaction in a chunk at a time, got one of another job")
        self._drop_connection()

    def close(self) -> None:
        """Reset the connection and give it back to the pool."""
        try:
            self._drop_connection()
        finally:
            self._running.forget(*self._running.stoppers)

    def _drop_connection(self) -> None:
        self._conn = None
        self._exits.close()

    def _release(self, conn: Connection) -> None:
        try:
            if self._was_used:
                renew(conn)
        finally:
            self._running.forget(conn.cancel)


@contextmanager
def deferring_when_full() -> Iterator[None]:
    """Defer a job whose handler sends to a full queue."""
    try:
        yield
    except QueueFull as full:
        raise Defer(_WAIT_WHEN_FULL, str(full)) from full
