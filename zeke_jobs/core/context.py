"""The handler's view of its job: one object, passed as its second argument."""

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
from zeke_jobs.errors import WaitFor

S = TypeVar("S", default=None)
P = ParamSpec("P")
R = TypeVar("R")


def _awaitable(form: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """The awaitable form of a method, for async handlers."""

    async def awaitable(self: Any, /, *args: P.args, **options: P.kwargs) -> R:
        found: R = await self._beside(getattr(self, form.__name__), *args, **options)
        return found

    return awaitable


class Context(ABC, Generic[S]):
    """The handler's view of its job. ``Context[MySettings]`` makes ``ctx.settings`` a checked ``MySettings``.

    An async handler awaits the methods that begin with ``a``: ``await ctx.asend(…)``, ``async with ctx.atransaction() as conn``.
    The other methods would block the event loop for all its jobs, so they raise a RuntimeError in an async handler.

    Attributes:
        job_id: The job's id, the same in all its attempts.
        task_id: The task's current id, even if the job was sent under an alias.
        attempt: Number of this start of the handler, from 1. Deferrals do not count.
        revision: Number of the revision of jobs.yaml that this attempt uses.
        batch_id: The batch that this job belongs to, or None.
        scheduled_for: The tick that a schedule sent this job for, or None.
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
        """A psycopg2 connection in autocommit mode, for short reads; inside ``transaction()``, its connection."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """A fenced transaction: at its end it commits only if this process still holds the job.

        Raises ClaimLost if the job was rescued, cancelled or finished elsewhere; everything inside was rolled back.
        """

    @abstractmethod
    def complete(self, output: Any = None) -> None:
        """Complete the job. Inside ``transaction()`` the completion commits with the writes; outside, it takes effect at once.

        ``output`` is any JSON value up to 1 MiB. After this call, the handler's result or exception does not change the
        job.

        Raises:
            UnfitForJson: the output is not a JSON value, or larger than 1 MiB.
            ClaimLost: this process no longer holds the job.
        """

    @abstractmethod
    def send(self, task: str, payload: Mapping[str, Any] | None = None, **options: Unpack[OneJobOptions]) -> Sent:
        """Send a follow-up job with this job as its parent; see ``zeke_jobs.send`` for the options.

        Inside ``transaction()``, the send commits with the writes.

        Raises:
            Defer: the task has ``max_queued`` jobs waiting; this job is tried again later.
            UnknownTask, InvalidPayload: see ``zeke_jobs.send``.
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
        """Send follow-up jobs of one task in one statement: all of them, or none if one is refused. See ``send``.

        The options apply to each job; ``keys`` has a key for each job. The answers are in the order of the payloads.
        """

    @abstractmethod
    def step(self, name: str, function: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call the function and store its result: a later attempt of this job gets the result without another call.

        ``text = ctx.step("fetch", fetch, url)``; for an async function ``await ctx.step(…)``. Inside ``transaction()`` the result
        is stored when the transaction commits. The result is any JSON value up to 1 MiB, and is deleted with the job.
        Even the first call returns the value in its JSON form: a tuple becomes a list.

        Raises:
            ValueError: this run has used the name already.
            UnfitForJson: the result is not a JSON value, or larger than 1 MiB.
            ClaimLost: this process no longer holds the job; nothing was stored.
        """

    @abstractmethod
    def event(self, name: str) -> Event | None:
        """The event that this job has waited for, with its data or ``timed_out``; None before that."""

    def wait_for(self, name: str, timeout: timedelta | float) -> Event:
        """Return the event; after ``timeout``, an event with ``timed_out``. Until then the job waits, without a thread.

        The call leaves the handler by raising ``WaitFor``, and when the event comes, the handler runs again from the start. Work
        that must not be done twice belongs in ``step``.

        Raises WaitFor if the event has not come, and the time is not over.
        """
        found = self.event(name)
        if found is None:
            raise WaitFor(name, timeout)
        return found

    @abstractmethod
    def batch(self, id: str, *, then: Then | None = None, after_failure: AfterFailure = "send") -> Batch:  # noqa: A002 (the field's word)
        """Open a batch of follow-up jobs: ``with ctx.batch("import-42", then=("report", {})) as batch: batch.send(…)``.

        Inside ``transaction()``, the batch and all its jobs are stored together or not at all. To add a job to this
        job's own batch, call ``ctx.send(…, batch=ctx.batch_id)``.

        Raises:
            The same errors as ``zeke_jobs.batch``.
        """

    @abstractmethod
    def service(self, name: str) -> Any:
        """The object that a service's settings model returns from ``open``; there is one in each process."""

    @abstractmethod
    def settings_of(self, task: str) -> Any:
        """The ``settings`` of another task, as its handler's model; None without settings or without such a task."""

    @abstractmethod
    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Report the job's progress, which its status shows. It is written at most once a second.

        Raises:
            TypeError: ``done`` or ``total`` is not a number.
            UnfitForJson: a number is infinite, NaN or longer than 64 bits, or Postgres cannot store the note.
        """

    @abstractmethod
    def add_cost(self, amount: Decimal | int, currency: str = "USD") -> None:
        """Add to the cost of this job. Costs add up over all attempts; ``compare`` shows the sum by task.

        The cost is kept at once, even if the handler's transaction is rolled back. Without a call, the cost of a job is
        unknown, so report 0 for a job that cost nothing.

        Args:
            amount: The cost in this currency, such as ``Decimal("0.0125")``; not a float, because its digits are not
                exact.
            currency: Three capital letters, as in ISO 4217. A job has one currency.

        Raises:
            TypeError: the amount is neither a Decimal nor an int.
            ValueError: the amount is negative or NaN; the currency is not a code of three letters, or differs from the
                currency of an earlier amount.
            ClaimLost: this process no longer holds the job.
        """

    def _add_costs(self, amounts: Mapping[Any, Decimal | int], currency: str) -> None:
        """Add to the costs of several jobs of a chunk."""
        for job, amount in amounts.items():
            job.add_cost(amount, currency)

    @abstractmethod
    def used(self, /, **units: float) -> None:
        """Report how much this job has used of a unit that its limits count: ``ctx.used(tokens=1834)``. Calls add up.

        If a job uses less than estimated, the rest is free when it ends; if it uses more, the limits count the
        difference at once.

        Raises ValueError if an amount is negative or NaN.
        """

    @abstractmethod
    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        """Close a limit for the whole fleet for ``retry_after`` (a timedelta or seconds), as its provider asks.

        Its concurrency is halved, and rises again if no further pause comes. Raising ``Throttled`` also defers the job.

        Raises ValueError if the jobs.yaml in force has no limit of this name.
        """

    @abstractmethod
    def lease(
        self, name: str, limit: int = 1, *, wait: timedelta | float | None = None
    ) -> AbstractContextManager[None]:
        """Hold a lease, which ``limit`` jobs of the fleet may hold at once: ``with ctx.lease("host/example.org"):``.

        The lease ends with the block or with the job, however the job ends.

        Args:
            name: The name of the shared resource; all jobs that share it must use the same name.
            limit: Number of jobs that may hold it at once.
            wait: How long this job is deferred if the lease is taken: a timedelta or seconds; by default a random 1 to 3 s.

        Raises:
            Defer: other jobs hold the lease; the job's ``waiting_for`` names one of them.
            ClaimLost: this process no longer holds the job, or it was cancelled.
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
        """The same as ``transaction``, on a psycopg 3 ``AsyncConnection`` (``zeke-jobs[psycopg]``)."""
        raise RuntimeError("expected ctx.transaction() in a plain handler, got ctx.atransaction()")

    @asynccontextmanager
    async def alease(self, name: str, limit: int = 1, *, wait: timedelta | float | None = None) -> AsyncIterator[None]:
        """The same as ``lease``: ``async with ctx.alease("host/example.org")``."""
        lease = self.lease(name, limit, wait=wait)
        await self._beside(lease.__enter__)
        try:
            yield
        finally:
            await self._beside(lease.__exit__, None, None, None)

    async def _beside(self, form: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call a method that may block; a worker's context calls it outside the event loop."""
        return form(*args, **options)
