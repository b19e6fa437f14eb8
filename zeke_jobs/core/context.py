"""The handler's view of its job: one object, passed as its second argument."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Unpack

from typing_extensions import ParamSpec, TypeVar

from zeke_jobs.errors import WaitFor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta
    from decimal import Decimal
    from uuid import UUID

    from psycopg2.extensions import connection as Connection
    from structlog.typing import FilteringBoundLogger

    from zeke_jobs.core.batch import AfterFailure, Batch, Then
    from zeke_jobs.core.event import Event
    from zeke_jobs.core.job import Sent
    from zeke_jobs.core.send_options import ManyJobOptions, OneJobOptions

S = TypeVar("S", default=None)
P = ParamSpec("P")
R = TypeVar("R")


class Context(ABC, Generic[S]):
    """The handler's view of its job. ``Context[MySettings]`` makes ``ctx.settings`` a checked ``MySettings``.

    Attributes:
        job_id: The job's id, the same over all its attempts.
        task_id: Canonical id of the task.
        attempt: Which start of the handler this is, from 1. A deferral does not count.
        revision: Number of the jobs.yaml revision this attempt runs under.
        batch_id: The batch that this job belongs to, else None.
        scheduled_for: The tick that a schedule sent this job for, else None.
        settings: The task's ``settings`` from jobs.yaml, as the model that the annotation names.
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
        """A psycopg2 connection in autocommit mode, for short reads; inside ``transaction()`` it is that transaction."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Connection]:
        """A fenced checkpoint: commits at its end, and only while this process holds the job.

        Raises:
            ClaimLost: the job was rescued, cancelled or finished elsewhere; everything inside was rolled back.
        """

    @abstractmethod
    def complete(self, output: Any = None) -> None:
        """Complete the job. Inside ``transaction()`` the completion commits with the writes; outside, it takes effect at once.

        ``output`` is any JSON value up to 1 MiB. What the handler does or raises afterwards no longer changes the job.
        """

    @abstractmethod
    def send(
        self,
        task: str,
        payload: Mapping[str, Any] | None = None,
        **options: Unpack[OneJobOptions],
    ) -> Sent:
        """Send a follow-up job, with this one as parent, and the options of ``zeke_jobs.send``.

        Inside ``transaction()`` it commits with the writes.
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
        """Send follow-up jobs of one task in one statement, as ``send``: all of them, or none when one is refused.

        The options hold for each job; ``keys`` gives each its own key. The answers are in the payloads' order.
        """

    @abstractmethod
    def step(self, name: str, function: Callable[P, R], /, *args: P.args, **options: P.kwargs) -> R:
        """Call the function, and keep its result: a later attempt of this job gets the result and does not call it again.

        ``text = ctx.step("fetch", fetch, url)``; of an async function ``await ctx.step(…)``. Inside ``transaction()`` the
        result is kept when that commits. It is any JSON value up to 1 MiB, and goes with the job. What is answered has been
        through JSON the first time too: a tuple is a list.

        Raises:
            ValueError: the name was used in this run already.
            UnfitForJson: the result is no JSON value, or larger.
            ClaimLost: this process no longer holds the job; nothing was kept.
        """

    @abstractmethod
    def event(self, name: str) -> Event | None:
        """What became of this job's wait for an event: its data, or that it did not come in time; None before that."""

    def wait_for(self, name: str, timeout: timedelta | float) -> Event:
        """The event, or the word that it did not come within ``timeout``; until then the job waits and holds nothing.

        The handler is left by ``WaitFor``, and runs again from the top when the event comes: do what must not be done twice
        in ``step``.

        Raises:
            WaitFor: neither has happened yet.
        """
        found = self.event(name)
        if found is None:
            raise WaitFor(name, timeout)
        return found

    @abstractmethod
    def batch(self, id: str, *, then: Then | None = None, after_failure: AfterFailure = "send") -> Batch:  # noqa: A002 (the field's word)
        """Open a batch of follow-up jobs: ``with ctx.batch("import-42", then=("report", {})) as batch: batch.send(…)``.

        Best inside ``transaction()``: then it is there with all its jobs, or not at all. To add to the batch that this job
        belongs to: ``ctx.send(…, batch=ctx.batch_id)``.

        Raises:
            As ``zeke_jobs.batch``.
        """

    @abstractmethod
    def service(self, name: str) -> Any:
        """The object that the service's settings model opens; one per process."""

    @abstractmethod
    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Say how far this job is; shown in its status. Written at most once a second."""

    @abstractmethod
    def add_cost(self, amount: Decimal | int, currency: str = "USD") -> None:
        """Say what this job spent just now. It adds up over all attempts; ``compare`` shows the sum by task.

        Kept at once, whatever becomes of the handler's transaction. A job that never says anything costs an unknown amount;
        say 0 for one that cost nothing.

        Args:
            amount: In units of the currency, such as ``Decimal("0.0125")``; no float, whose digits money does not have.
            currency: Three capital letters, as ISO 4217 has them. A job has one currency.

        Raises:
            TypeError: the amount is neither a Decimal nor an int.
            ValueError: it is below 0 or no number, or the currency is not such a code or not that of an earlier amount.
            ClaimLost: this process no longer holds the job.
        """

    @abstractmethod
    def used(self, **units: float) -> None:
        """Say what this job used just now of the units that its limits count: ``ctx.used(tokens=1834)``. It adds up.

        What it used less than estimated is free at its end; what it used more is charged to the next jobs at once.

        Raises:
            ValueError: an amount is below 0 or no number.
        """

    @abstractmethod
    def throttled(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        """Close a limit for the whole fleet for so long (a timedelta, or seconds), since its provider asks for a pause.

        Its concurrency is halved, and rises again while it stays quiet. ``Throttled`` does the same and defers this job.

        Raises:
            ValueError: jobs.yaml in force has no such limit.
        """

    @abstractmethod
    def lease(
        self, name: str, limit: int = 1, *, wait: timedelta | float | None = None
    ) -> AbstractContextManager[None]:
        """Hold something that at most ``limit`` jobs of the whole fleet hold at once: ``with ctx.lease("host/example.org"):``.

        It is given back at the end of the block, and ends with the job, however that ends.

        Args:
            name: What is held; anything that all who share it spell the same.
            limit: How many may hold it.
            wait: How long this job waits when it is taken, as a timedelta or in seconds; by default 1 to 3 s, by chance.

        Raises:
            Defer: it is taken; the job's ``waiting_for`` says by which job.
            ClaimLost: this process no longer holds the job, or it was cancelled.
        """
