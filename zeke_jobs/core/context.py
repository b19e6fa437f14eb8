"""Defines a handler's second argument: the data of its job, or of a chunk's jobs, and methods such as ``send``."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Concatenate, Generic, Unpack
from uuid import UUID

from psycopg2.extensions import connection as Connection
from structlog.typing import FilteringBoundLogger
from typing_extensions import ParamSpec, TypeVar

from zeke_jobs.core.batch import AfterFailure, Batch, ManyJobOptions, OneJobOptions, Then
from zeke_jobs.core.job import Event, Sent
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import Reject, Retry, WaitFor

S = TypeVar("S", default=None)
P = ParamSpec("P")
R = TypeVar("R")


def _awaitable(form: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """Return the awaitable form of a method, for async handlers."""

    async def awaitable(self: Any, /, *args: P.args, **options: P.kwargs) -> R:
        found: R = await self._beside(getattr(self, form.__name__), *args, **options)
        return found

    return awaitable


class Context(ABC, Generic[S]):
    """Gives a handler its job's data. ``Context[MySettings]`` makes ``ctx.settings`` a validated ``MySettings``.

    An async handler awaits the methods that begin with ``a``: ``await ctx.asend(…)``, ``async with ctx.atransaction()
    as conn``. In an async handler, methods without ``a`` raise RuntimeError, because they would block the event loop.

    Attributes:
        job_id: The job's id, the same in all its attempts.
        task_id: The task's current id, even if the job was sent under an alias.
        attempt: Number of this attempt: 1 for the first. Deferred attempts do not count.
        revision: Number of the revision of jobs.yaml that this attempt uses.
        batch_id: The batch that this job belongs to, or None.
        scheduled_for: The due time (tick) for which a schedule sent this job, or None.
        settings: The task's ``settings`` from jobs.yaml, as an instance of the annotated model.
        logger: A structlog logger with task and job id bound.
    """

    job_id: UUID
    task_id: str
    attempt: int
    revision: int
    scheduled_for: datetime | None
    batch_id: str | None
    settings: S
    logger: FilteringBoundLogger

    @property
    @abstractmethod
    def db(self) -> Connection:
        """Return a psycopg2 connection for short reads, in autocommit mode or in the open ``transaction()``."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """Open a fenced transaction. The transaction commits only if this process still holds the job.

        Raises ClaimLost and rolls everything back if the job was cancelled, has ended, or went back into the queue.
        """

    @abstractmethod
    def complete(self, output: Any = None) -> None:
        """Complete the job at once, or when the open ``transaction()`` commits. The handler's result or error is then ignored.

        ``output`` is any JSON value up to 1 MiB. Other values raise UnfitForJson. Raises ClaimLost if this process no
        longer holds the job.
        """

    @abstractmethod
    def send(self, task: str, payload: Mapping[str, Any] | None = None, **options: Unpack[OneJobOptions]) -> Sent:
        """Send a job with this job as its parent, like ``zeke_jobs.send``, in the ``transaction()`` if one is open.

        If the other task's queue is full, raises Defer, so that this job runs again when the queue has room.
        """

    @abstractmethod
    def send_many(
        self,
        task: str,
        payloads: Iterable[Mapping[str, Any]],
        *,
        keys: Sequence[str | None] | None = None,
        **options: Unpack[ManyJobOptions],
    ) -> list[Sent]:
        """Send follow-up jobs of one task, like ``send`` and ``zeke_jobs.send_many``."""

    @abstractmethod
    def step(self, name: str, function: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call the function and store its result. A later attempt of this job gets the stored result instead.

        Write ``text = ctx.step("fetch", fetch, url)``, or ``await ctx.step(…)`` for an async function. The result is
        any JSON value up to 1 MiB. It is stored at once or with the open ``transaction()``, and deleted with the job.
        Even the first call returns the result's JSON form: a tuple becomes a list.

        Raises:
            ValueError: this run of the handler has already used the step's name.
            UnfitForJson: the result is not a JSON value of at most 1 MiB.
            ClaimLost: this process no longer holds the job; nothing was stored.
        """

    @abstractmethod
    def event(self, name: str) -> Event | None:
        """Return the event ``name``, with its data or ``timed_out``, or None if the job has not yet waited for it."""

    def wait_for(self, name: str, timeout: timedelta | float) -> Event:
        """Wait for the event ``name``, and return it with its data or ``timed_out``. A waiting job uses no thread.

        To wait, the method leaves the handler by raising WaitFor. After the wait, the handler runs again from the
        start. Work that must not be done twice belongs in ``step``.
        """
        found = self.event(name)
        if found is None:
            raise WaitFor(name, timeout)
        return found

    @abstractmethod
    def batch(self, id: str, *, then: Then | None = None, after_failure: AfterFailure = "send") -> Batch:  # noqa: A002 (the field's word)
        """Open a batch of follow-up jobs: ``with ctx.batch("import-42", then=("report", {})) as batch: batch.send(…)``.

        Inside ``transaction()``, the batch and its jobs are stored together or not at all. To add a job to this job's
        own batch, call ``ctx.send(…, batch=ctx.batch_id)``. Raises the same errors as ``zeke_jobs.batch``.
        """

    @abstractmethod
    def service(self, name: str) -> Any:
        """Return the object that the service's ``open`` has made. A process has one object per service."""

    @abstractmethod
    def settings_of(self, task: str) -> Any:
        """Return another task's ``settings`` as a model instance, or None if the task has none or does not exist."""

    @abstractmethod
    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Report the progress, which the job's status then shows. The progress is written at most once a second.

        Raises TypeError if ``done`` or ``total`` is not a number, and UnfitForJson if Postgres cannot store a number or
        the note.
        """

    @abstractmethod
    def add_cost(self, amount: Decimal | int, currency: str = "USD") -> None:
        """Add to this job's cost, which counts all attempts. A rollback of the transaction does not undo the cost.

        Without a call, the cost of a job is unknown, so report 0 for a job that cost nothing.

        Args:
            amount: A Decimal such as ``Decimal("0.0125")``, or an int. A float is not exact.
            currency: A code of three capital letters, as in ISO 4217. All costs of a job have the same currency.

        Raises:
            TypeError: the amount is neither a Decimal nor an int.
            ValueError: the amount is negative or NaN, or the currency is malformed or not the job's currency.
            ClaimLost: this process no longer holds the job.
        """

    def _add_costs(self, amounts: Mapping[Any, Decimal | int], currency: str) -> None:
        """Add each amount to the cost of its job, for jobs of one chunk."""
        for job, amount in amounts.items():
            job.add_cost(amount, currency)

    @abstractmethod
    def used(self, /, **units: float) -> None:
        """Report how much this job has used of a unit that its limits count: ``ctx.used(tokens=1834)``. Calls add up.

        What exceeds the job's estimate counts against the limit at once. When the job ends, the unused part of
        the estimate is free again. Raises ValueError if an amount is negative or NaN.
        """

    @abstractmethod
    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        """For ``retry_after`` (a timedelta or seconds), start no job under a limit, because a service asked to wait.

        The limit's concurrency is also halved. It then rises by one every ``raise_every``. To defer this job too, raise
        ``Throttled`` instead. Raises ValueError if the jobs.yaml in force has no limit of this name.
        """

    @abstractmethod
    def lease(
        self, name: str, limit: int = 1, *, wait: timedelta | float | None = None
    ) -> AbstractContextManager[None]:
        """Hold a lease, which at most ``limit`` jobs may hold at once: ``with ctx.lease("host/example.org"):``.

        The lease ends with the block or with the job, however the job ends.

        Args:
            name: The name of the resource, the same in all jobs that share it.
            limit: The maximum number of jobs that hold the lease at once.
            wait: How long this job is deferred if the lease is taken: a timedelta or seconds; by default a random 1 to 3 s.

        Raises:
            Defer: other jobs hold the lease; the job's ``waiting_for`` names one of them.
            ClaimLost: the job was cancelled, or this process no longer holds it.
        """

    acomplete = _awaitable(complete)
    asend = _awaitable(send)
    asend_many = _awaitable(send_many)
    aevent = _awaitable(event)
    await_for = _awaitable(wait_for)
    aservice = _awaitable(service)
    aprogress = _awaitable(progress)
    aadd_cost = _awaitable(add_cost)
    aused = _awaitable(used)
    athrottled = _awaitable(throttled)

    def atransaction(self) -> AbstractAsyncContextManager[Any]:
        """Do the same as ``transaction``, on a psycopg 3 ``AsyncConnection`` (``zeke-jobs[psycopg]``)."""
        raise RuntimeError("expected ctx.transaction() in a plain handler, got ctx.atransaction()")

    @asynccontextmanager
    async def alease(self, name: str, limit: int = 1, *, wait: timedelta | float | None = None) -> AsyncIterator[None]:
        """Do the same as ``lease``: ``async with ctx.alease("host/example.org")``."""
        lease = self.lease(name, limit, wait=wait)
        await self._beside(lease.__enter__)
        try:
            yield
        finally:
            await self._beside(lease.__exit__, None, None, None)

    async def _beside(self, form: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call a method that may block. In a worker, the method runs in a thread outside the event loop."""
        return form(*args, **options)


class ChunkContext(Generic[S]):
    """Gives a handler several jobs, a chunk. ``ChunkContext[MySettings]`` makes ``ctx.settings`` a ``MySettings``.

    Attributes:
        jobs: One ``Context`` per job, in the payloads' order. It has the job's attempt, and methods such as ``send``.
        task_id: The task's current id, even if a job was sent under an alias.
        logger: A structlog logger with the task bound.
        settled: For each job that ``fail`` or ``retry`` ended, its index in ``jobs`` and its ``Reject`` or ``Retry``.
    """

    def __init__(self, jobs: Sequence[Context[S]], is_cancelled: Callable[[int], bool]) -> None:
        self.jobs = jobs
        self.task_id = jobs[0].task_id
        self.logger = get_logger("zeke_jobs.job", task=self.task_id, jobs=len(jobs))
        self.settled: dict[int, Exception] = {}
        self._is_cancelled = is_cancelled

    @property
    def settings(self) -> S:
        """Return the task's ``settings`` from jobs.yaml."""
        return self.jobs[0].settings

    def service(self, name: str) -> Any:
        """Return the service's object, as ``Context.service`` does."""
        return self.jobs[0].service(name)

    async def aservice(self, name: str) -> Any:
        """Return the service's object to an async handler, as ``Context.aservice`` does."""
        return await self.jobs[0].aservice(name)

    def cancelled(self, i: int) -> bool:
        """Return whether job ``i`` was cancelled while the handler ran. If so, result and transactions are refused."""
        return self._is_cancelled(i)

    def fail(self, i: int, error: Exception | str) -> None:
        """End job ``i`` as failed, without a retry, when the handler ends. The other jobs go on."""
        if not isinstance(error, Reject):
            cause, error = error, Reject(error if isinstance(error, str) else f"{type(error).__name__}: {error}")
            error.__cause__ = cause if isinstance(cause, Exception) else None
        self._settle(i, error)

    def retry(
        self, i: int, delay: timedelta | float | None = None, reason: str = "", *, limit: int | None = None
    ) -> None:
        """Retry job ``i``, like ``raise Retry(delay, reason, limit=limit)`` in a handler of one job. The other jobs go on."""
        self._settle(i, Retry(delay, reason, limit=limit))

    def add_costs(self, amounts: Mapping[int, Decimal | int], currency: str = "USD") -> None:
        """Add to the cost of each job whose index is in ``amounts``. In a worker, the call is one SQL statement."""
        if amounts:
            self.jobs[0]._add_costs({self._job(i): amount for i, amount in amounts.items()}, currency)  # noqa: SLF001

    def _settle(self, i: int, error: Exception) -> None:
        self._job(i)
        self.settled[i] = error

    def _job(self, i: int) -> Context[S]:
        if not 0 <= i < len(self.jobs):
            raise IndexError(f"expected the place of a job from 0 to {len(self.jobs) - 1}, got {i}")
        return self.jobs[i]
