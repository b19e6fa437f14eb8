"""A job as its sender sees it: the answer of a send, and the status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

STATUSES = ("created", "retry", "active", "completed", "failed", "cancelled")
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the database had it at one moment. Times have a zone; fields that its task calls sensitive are ``***``.

    Attributes:
        status: ``created``, ``retry``, ``active``, ``completed``, ``failed`` or ``cancelled``.
        data: The payload, in snake_case. One that cannot be read has only ``unreadable``: why.
        output: What the handler returned, once completed.
        started_on: When the handler last started.
        completed_on: When the job ended, in whatever way.
        retry_count: Attempts after the first one.
        error: ``{"type", "message", …}`` of the last failure, until the job completes.
        parent: The job that sent this one.
        attempts: Every attempt that did not complete: its times, outcome, worker and error.
        progress: What the handler last said about how far it is.
        run_at: Not before this time.
        revision: Revision of jobs.yaml that the job ran under last; before its first start, the one in force when it was sent.
        waiting_for: Why the handler deferred the job.
        cancelled_on: When it was cancelled; while the job is active, it is being stopped.
        cost: What the handler said that it cost so far, over all attempts; None is unknown, not nothing.
        batch: The batch that it belongs to.
        currency: What the cost is counted in, such as ``USD``.
    """

    id: UUID
    status: str
    task_id: str
    data: dict[str, Any]
    output: Any
    created_on: datetime
    started_on: datetime | None
    completed_on: datetime | None
    retry_count: int
    error: dict[str, Any] | None
    parent: UUID | None
    attempts: list[dict[str, Any]]
    progress: dict[str, Any] | None
    scheduled_for: datetime | None
    priority: int
    run_at: datetime
    expires_on: datetime | None
    revision: int | None
    queue: str
    key: str | None
    waiting_for: str | None
    cancelled_on: datetime | None
    cancel_reason: str | None
    cost: Decimal | None
    currency: str | None
    batch: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ENDED

    def failure(self) -> str:
        """In one line: its outcome, and why."""
        why = self.error_line()
        return f"{self.task_id} {self.id} {self.status}" + (f" ({why})" if why else "")

    def error_line(self) -> str:
        """Type and message of its error; empty where it has none, or where that says no more than its status."""
        error = self.error or {}
        parts = [str(error[part]) for part in ("type", "message") if error.get(part)]
        return "" if {part.lower() for part in parts} == {self.status} else ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Sent:
    """What ``send`` answers.

    Attributes:
        id: The job's id: for ``status``, ``wait``, ``cancel``.
        status: ``created``; for a duplicate, the status of the first job at that moment.
        task_id: Canonical id of the task, whatever name it was sent by.
        replaced: The earlier job has this send's payload and run time now.
        duplicate: No job was made: the id, the idempotency key or the unique fields stand for this earlier job.
    """

    id: UUID
    status: str
    task_id: str
    duplicate: bool = False
    replaced: bool = False
