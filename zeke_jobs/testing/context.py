"""Lets a test call a handler directly, without a worker, and check the handler's effects."""

import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection

from zeke_jobs.core import bounds
from zeke_jobs.core.batch import AfterFailure, Batch, Then
from zeke_jobs.core.context import ChunkContext
from zeke_jobs.core.job import Event, Sent
from zeke_jobs.core.logs import get_logger
from zeke_jobs.payload import json_text
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.worker.run.reports import Steps, taken


@dataclass(frozen=True)
class SentCall:
    """Describes one call of ``ctx.send``, or one payload of ``ctx.send_many``, with the call's arguments."""

    task: str
    payload: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False, repr=False)
class FakeContext(Steps):
    """Lets tests call a handler, with or without a database. A rollback removes a transaction's jobs from ``sent``."""

    db: Any = None
    _: KW_ONLY
    settings: Any = None
    others: Mapping[str, Any] = field(default_factory=dict)  # the settings of other tasks, by task id
    services: Mapping[str, Any] = field(default_factory=dict)
    task_id: str = "test"
    job_id: UUID = field(default_factory=uuid4)
    attempt: int = 1
    revision: int = 1
    scheduled_for: datetime | None = None
    batch_id: str | None = None
    steps: Mapping[str, Any] = field(default_factory=dict)  # by name, also results of an earlier attempt
    events: Mapping[str, Any] = field(default_factory=dict)  # the events that came, with their data
    timed_out: Iterable[str] = ()  # the events that did not come in time
    taken_leases: Iterable[str] = ()  # the leases that other jobs hold
    sent: list[SentCall] = field(init=False, default_factory=list)  # the jobs that the handler sent, in order
    batches: dict[str, tuple[Then | None, AfterFailure]] = field(init=False, default_factory=dict)  # opened, by id
    output: Any = field(init=False, default=None)  # the output with which the handler completed the job
    completed: bool = field(init=False, default=False)  # whether the handler called ``complete``
    progressed: list[tuple[float, float | None, str]] = field(init=False, default_factory=list)  # calls of ``progress``
    cost: Decimal | None = field(init=False, default=None)  # the reported cost; None without a report
    currency: str | None = field(init=False, default=None)
    units: dict[str, float] = field(init=False, default_factory=dict)  # the reported amounts by unit
    throttles: list[tuple[str, float, str]] = field(init=False, default_factory=list)  # limit, seconds, reason
    leased: list[str] = field(init=False, default_factory=list)  # names of the leases taken, in order

    def __post_init__(self) -> None:
        # Copy the arguments: None stands for an empty mapping, and an iterator can be read only once.
        self.job_id = self.job_id or uuid4()
        self.others, self.services = dict(self.others or {}), dict(self.services or {})
        self.steps, self.events = dict(self.steps or {}), dict(self.events or {})
        self.timed_out, self.taken_leases = frozenset(self.timed_out), frozenset(self.taken_leases)
        self.logger = get_logger("zeke_jobs.job", task=self.task_id, job_id=str(self.job_id))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if found is None and name in ("db", "settings"):
            raise RuntimeError(f"expected FakeContext({name}=…) for a handler that uses ctx.{name}, got none")
        return found

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run a real transaction on the test's connection, without the check that the job is still held."""
        with self._undoing(), transaction(self.db) as conn:
            yield conn

    @contextmanager
    def _undoing(self) -> Iterator[None]:
        before = list(self.sent), self.completed, self.output, dict(self.batches)
        try:
            yield
        except BaseException:
            self.sent, self.completed, self.output, self.batches = before
            raise

    @asynccontextmanager
    async def atransaction(self) -> AsyncIterator[Any]:
        """Run a real transaction on the test's connection, which must be an ``AsyncConnection`` of psycopg 3."""
        with self._undoing():
            async with self.db.transaction():
                yield self.db

    def complete(self, output: Any = None) -> None:
        """Remember the output."""
        self.completed, self.output = True, output

    def send(self, task: str, payload: Mapping[str, Any] | None = None, **options: Any) -> Sent:
        """Remember the call. Nothing is sent."""
        self.sent.append(SentCall(task, dict(payload or {}), options))
        return Sent(id=uuid4(), status="created", task_id=task)

    def send_many(self, task: str, payloads: Iterable[Mapping[str, Any]], **options: Any) -> list[Sent]:
        """Remember a call of ``send`` for each payload, with the payload's key. Nothing is sent."""
        given, keys = list(payloads), options.pop("keys", None)
        own = [options] * len(given) if keys is None else [{**options, "key": key} for key in keys]
        return [self.send(task, payload, **each) for payload, each in zip(given, own, strict=True)]

    def _kept_steps(self) -> dict[str, str]:
        return {name: json_text.encode(result) for name, result in self.steps.items()}

    def _keep_step(self, name: str, result: str) -> str:
        self.steps = {**self.steps, name: json.loads(result)}
        return result

    def event(self, name: str) -> Event | None:
        """Return the event that the test gave in ``events``, or a timed-out event if ``timed_out`` lists the name."""
        if name in self.timed_out:
            return Event(name, timed_out=True)
        return Event(name, self.events[name]) if name in self.events else None

    def batch(self, id: str, *, then: Then | None = None, after_failure: AfterFailure = "send") -> Batch:  # noqa: A002 (the field's word)
        """Remember the batch in ``batches``. The jobs sent in the batch are in ``sent``, with the option ``batch``."""
        self.batches[id] = (then, after_failure)
        return Batch(id, self.send, self.send_many, lambda: None)

    def service(self, name: str) -> Any:
        """Return the service of this name in ``services``."""
        if name not in self.services:
            given = ", ".join(self.services) or "none"
            raise RuntimeError(f"expected FakeContext(services={{{name!r}: …}}) for ctx.service({name!r}), got {given}")
        return self.services[name]

    def settings_of(self, task: str) -> Any:
        """Return the settings that the dict ``others`` has for the task, or None."""
        return self.others.get(task)

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Remember the call."""
        self.progressed.append((done, total, note))

    def add_cost(self, amount: Decimal | int, currency: str = "USD") -> None:
        """Add the amount to the attribute ``cost``, after the same checks as in a worker."""
        bounds.check_cost(amount, currency)
        if self.currency not in (None, currency):
            raise bounds.mixed_costs(str(self.currency), currency)
        self.cost, self.currency = (self.cost or Decimal(0)) + amount, currency

    def used(self, /, **units: float) -> None:
        """Add the amounts to the attribute ``units``, after the same checks as in a worker."""
        bounds.check_units(units)
        for unit, amount in units.items():
            self.units[unit] = self.units.get(unit, 0) + amount

    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        """Record the limit, the seconds and the reason in ``throttles``."""
        seconds = bounds.delay("retry_after", retry_after).total_seconds()
        self.throttles.append((limit, seconds, reason))

    @contextmanager
    def lease(self, name: str, limit: int = 1, *, wait: timedelta | float | None = None) -> Iterator[None]:
        """Record the lease's name in ``leased``. Raises Defer if the test lists the name in ``taken_leases``."""
        if limit < 1:
            raise ValueError(f"expected a limit of at least 1 for the lease {name}, got {limit}")
        if name in self.taken_leases:
            raise taken(name, "by another job", wait)
        self.leased.append(name)
        yield


class FakeChunk(ChunkContext[Any]):
    """Lets a test call a handler of chunks. The chunk has ``jobs`` jobs, each with a ``FakeContext(**options)``."""

    jobs: Sequence[FakeContext]

    def __init__(self, jobs: int, *, cancelled: Collection[int] = (), **options: Any) -> None:
        if jobs < 1:
            raise ValueError(f"expected at least one job in a chunk, got {jobs}")
        super().__init__([FakeContext(**options) for _ in range(jobs)], cancelled.__contains__)
