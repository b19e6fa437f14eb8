"""Describes the result of ``send``, the status of a job, and the result of a handler's wait for an event."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

LONGEST_NAME = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Event:
    """Describes an event with its data. If the event did not come in time, ``timed_out`` is true and ``data`` is None."""

    name: str
    data: Any = None
    timed_out: bool = False


def check_name(name: str) -> str:
    """Check the name of an event, and return the name. Raises TypeError or ValueError if the name is not valid."""
    if not isinstance(name, str):
        raise TypeError(f"expected the name of an event as text, got {name!r}")
    if not 0 < len(name.encode()) <= LONGEST_NAME:
        raise ValueError(f"expected the name of an event of 1 to {LONGEST_NAME} bytes, got {len(name.encode())}")
    return name


STATUSES = ("created", "retry", "active", "completed", "failed", "cancelled")
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """Describes a job as it was in the database at one moment. Times have a zone. Sensitive fields are ``***``.

    Attributes:
        status: ``created``, ``retry``, ``active``, ``completed``, ``failed`` or ``cancelled``.
        data: The payload, in snake_case. If it cannot be read, its only field is ``unreadable``, with the reason.
        output: The handler's result.
        started_on: Time of the handler's last start.
        completed_on: Time of the job's end, however it ended.
        retry_count: Number of retries that count toward the limit, not the attempts after a death or a ``retry`` by hand.
        error: The last failure or the cancellation, as ``{"type", "message", …}``; None for active and completed jobs.
        parent: The job that sent this one.
        attempts: Every attempt that did not complete: its times, outcome, worker and error.
        progress: The handler's last report of its progress.
        run_at: The job does not start before this time.
        revision: Revision of jobs.yaml at the job's last start; before the first start, that of the last change of its task.
        waiting_for: The handler's reason for deferring the job.
        cancelled_on: Time at which the job was cancelled. If the job is still active, a worker is stopping it.
        cost: Cost reported by the handler so far, over all attempts; None means unknown, not zero.
        batch: The batch that the job belongs to.
        currency: Currency of the cost, such as ``USD``.
        attempt: Number of times that the handler was started; for an active job, the number of the current attempt.
        worker: While the job is active, the id of the process that has claimed it, as in ``zeke-jobs fleet --json``.
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
    attempt: int = 0
    worker: UUID | None = None

    @property
    def has_ended(self) -> bool:
        """Return whether the job is completed, failed or cancelled."""
        return self.status in ENDED

    def failure(self) -> str:
        """Return the job's task, id, status and error in one line."""
        why = self.error_line()
        return f"{self.task_id} {self.id} {self.status}" + (f" ({why})" if why else "")

    def error_line(self) -> str:
        """Return the type and message of the job's error, or an empty string if they only repeat the status."""
        error = self.error or {}
        parts = [str(error[part]) for part in ("type", "message") if error.get(part)]
        return "" if {part.lower() for part in parts} == {self.status} else ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Sent:
    """Describes the result of ``send``.

    Attributes:
        id: The job's id, which ``status``, ``wait`` and ``cancel`` take.
        status: ``created``; for a duplicate, the status of the earlier job at the time of the send.
        task_id: Canonical id of the task, even if the send used another name.
        replaced: Whether the send replaced the payload and run time of an earlier job.
        duplicate: Whether no job was made, because an earlier job has the same id, idempotency key or unique fields.
    """

    id: UUID
    status: str
    task_id: str
    duplicate: bool = False
    replaced: bool = False
