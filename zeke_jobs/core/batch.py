"""Defines the options of ``send``, the ``Batch`` to which callers add jobs, and the status of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict
from uuid import UUID

from zeke_jobs.core.job import Sent

if TYPE_CHECKING:
    from pydantic import BaseModel

AfterFailure = Literal["send", "hold"]
Then = tuple[str, "Mapping[str, Any] | BaseModel | None"]
"""The job that is sent at the end: its task and its payload, which may contain ``{"$batch": "failed"}`` etc."""

COUNTS = ("jobs", "completed", "failed", "cancelled")


@dataclass(frozen=True, eq=False, repr=False)
class Batch:
    """Represents an open batch. Jobs can be added until the batch's ``with`` block ends and closes the batch.

    A block that ends with an exception leaves the batch open, so that another attempt can open it again and continue.
    """

    id: str
    _send: Callable[..., Sent]
    _send_many: Callable[..., list[Sent]]
    _close: Callable[[], object]

    def send(self, task: str, payload: Mapping[str, Any] | BaseModel | None = None, **options: Any) -> Sent:
        """Send a job as part of the batch, like ``zeke_jobs.send``."""
        return self._send(task, payload, batch=self.id, **options)

    def send_many(self, task: str, payloads: Iterable[Mapping[str, Any] | BaseModel], **options: Any) -> list[Sent]:
        """Send jobs as part of the batch, like ``zeke_jobs.send_many``."""
        return self._send_many(task, payloads, batch=self.id, **options)

    def close(self) -> None:
        """Close the batch to further jobs. The batch ends with its last job, or at once if all jobs have ended."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """Describes a batch as it was in the database at one moment.

    Attributes:
        status: ``open``, ``running``, ``held`` (it waits only for failed jobs), ``ended`` or ``cancelled``.
        jobs: Number of the batch's jobs so far.
        unfinished: Number of the batch's jobs that are queued or active.
        after_failure: ``send`` if failed jobs count as ended, ``hold`` if the batch waits for a retry or cancellation.
        then_task: Task of the job that is sent when the batch ends, or None.
        then_job: Id of the job that was sent when the batch ended, or None.
        then_outcome: ``created``, or the reason why no job was sent when the batch ended.
    """

    id: str
    status: str
    jobs: int
    unfinished: int
    completed: int
    failed: int
    cancelled: int
    after_failure: str
    then_task: str | None
    then_job: UUID | None
    then_outcome: str | None
    created_on: datetime
    ended_on: datetime | None
    cancelled_on: datetime | None

    @property
    def finished(self) -> int:
        """Return the number of jobs of the batch that have ended in any way."""
        return self.jobs - self.unfinished


UniqueRule = TypedDict(
    "UniqueRule",
    {
        "fields": "str | Sequence[str]",
        "while": str,
        "period": "timedelta | float",
        "on_duplicate": str,
        "at_most": "timedelta | float",
    },
    total=False,
)
"""``{"fields": ["story_id"], "while": "queued" | "active"}`` or ``{"fields": […], "period": timedelta(hours=1)}``,
or ``{"fields": […], "on_duplicate": "replace" | "postpone", "at_most": timedelta(minutes=5)}``."""


class RetryRule(TypedDict, total=False):
    """Replaces values of the task's retry policy: ``{"limit": 5, "delay": 10, "max_delay": timedelta(hours=1)}``."""

    limit: int
    delay: timedelta | float
    max_delay: timedelta | float


class JobOptions(TypedDict, total=False):
    """Names the options of ``send`` and ``send_many`` that apply to each job."""

    delay: timedelta | float | None
    run_at: datetime | None
    priority: int | None
    key: str | None
    parent: UUID | str | None
    unique: bool | str | Sequence[str] | UniqueRule | None
    expires: datetime | timedelta | float | None
    retry: int | RetryRule | None
    timeout: timedelta | float | None
    keep: timedelta | float | None
    batch: str | None
    units: Mapping[str, float] | None


class ManyJobOptions(JobOptions, total=False):
    """Adds the options that only ``send_many`` has."""

    then: Then | None
    after_failure: AfterFailure | None


class OneJobOptions(JobOptions, total=False):
    """Adds the options that only ``send`` has."""

    id: UUID | str | None
    idempotency_key: str | None
    scheduled_for: datetime | None
    unique_key: str | None
