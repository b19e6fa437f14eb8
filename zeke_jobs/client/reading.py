"""Ask about jobs: the status of one, a list, the output when it is there."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from threading import TIMEOUT_MAX
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zeke_jobs.client import drivers
from zeke_jobs.client.options import as_count, as_id
from zeke_jobs.errors import JobFailed, JobNotFound, JobPurged, WaitTimeout
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.tolerant import payload_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    @property
    def has_ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ENDED

    def failure(self) -> str:
        """In one line: what became of it and why."""
        why = self.error_line()
        return f"{self.task_id} {self.id} {self.status}" + (f" ({why})" if why else "")

    def error_line(self) -> str:
        """Type and message of its error; empty where it has none, or where that says no more than its status."""
        error = self.error or {}
        parts = [str(error[part]) for part in ("type", "message") if error.get(part)]
        return "" if {part.lower() for part in parts} == {self.status} else ": ".join(parts)


# Ids, JSON and money come as text, because drivers differ in what they make of them.
_READ: dict[str, Callable[[str], Any]] = {
    "id": UUID,
    "parent": UUID,
    "data": payload_of,
    "output": value_of,
    "error": value_of,
    "attempts": value_of,
    "progress": value_of,
    "cost": Decimal,
}


def _job(row: tuple[Any, ...]) -> Job:
    values = {
        field.name: _READ[field.name](value) if field.name in _READ and value is not None else value
        for field, value in zip(fields(Job), row, strict=True)
    }
    values["data"] = values["data"] or {}
    return Job(**values)


def status(id: UUID | str, *, connection: Any = None) -> Job:  # noqa: A002 (the field's word)
    """The job as it is now.

    Raises:
        JobNotFound: no job has this id; JobPurged where it is known that one had it.
        ValueError: it is no UUID.
    """
    job_id = as_id("id", id)
    row = drivers.run_again(lambda run: run(SQL.text("job/one"), {"id": str(job_id)}), connection)
    if not row:
        raise missing(job_id, connection)
    return _job(row[0])


def missing(job_id: UUID, connection: Any) -> JobNotFound:
    """The error for an id that no job has: JobPurged where it is known that one had it."""
    rows = drivers.run_again(lambda run: run(SQL.text("job/purged"), {"id": str(job_id)}), connection)
    if rows:
        task, outcome, ended = rows[0]
        return JobPurged(
            f"expected a job that is kept, got {job_id}: {task}, {outcome} on {ended:%Y-%m-%d %H:%M} UTC, purged since"
        )
    return JobNotFound(f"expected the id of a job, got {job_id}: no job has it")


def jobs(
    *,
    task: str | None = None,
    status: str | Sequence[str] | None = None,
    parent: UUID | str | None = None,
    newer: timedelta | None = None,
    older: timedelta | None = None,
    limit: int = 20,
    connection: Any = None,
) -> list[Job]:
    """The newest jobs that pass every filter.

    Args:
        task: Id or alias of a task.
        status: One status, or several.
        parent: Only jobs that this one sent.
        newer: Only jobs sent within this time.
        older: Only jobs sent longer ago than this.
        limit: At most so many.
        connection: As for ``send``.

    Raises:
        ValueError: it is no status, or the limit is no count.
    """
    statuses = [status] if isinstance(status, str) else status
    for name in statuses or ():
        if name not in STATUSES:
            raise ValueError(f"expected a status ({', '.join(STATUSES)}), got {name!r}")
    params = {
        "task": task,
        "statuses": None if statuses is None else list(statuses),
        "parent": None if parent is None else str(as_id("parent", parent)),
        "newer": None if newer is None else newer.total_seconds(),
        "older": None if older is None else older.total_seconds(),
        "limit": as_count("limit", limit),
    }
    rows = drivers.run_again(lambda run: run(SQL.text("job/list"), params), connection)
    return [_job(row) for row in rows]


def wait(id: UUID | str, timeout: timedelta | float | None = None) -> Any:  # noqa: A002 (the field's word)
    """Wait until the job has ended, and return its output.

    It wakes when the end is announced, and looks by itself each second, which is enough where announcements do not arrive.

    Args:
        id: The job's id.
        timeout: A timedelta, or seconds; None and infinity wait for ever.

    Raises:
        JobFailed: the job failed or was cancelled; ``error.job`` is its status.
        WaitTimeout: it did not end in time. It goes on.
        JobNotFound: no job has this id.
    """
    from zeke_jobs.client.listening import listener

    job_id = as_id("id", id)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    deadline = None if seconds is None or seconds >= TIMEOUT_MAX else monotonic() + seconds
    while True:
        told = listener().wait(job_id, deadline)
        job = status(job_id)
        if job.has_ended:
            break
        if not told:
            raise WaitTimeout(f"expected {job.task_id} {job_id} to end within {seconds:g} s, got {job.status} still")
        # Whoever may connect may announce an end; and a failed job may be retried before we look.
    if job.status != "completed":
        raise JobFailed(job.failure(), job)
    return output(job_id)


def output(job_id: UUID) -> Any:
    """What a completed job returned, nothing masked.

    Raises:
        JobNotFound: no completed job has this id.
    """
    rows = drivers.run_again(lambda run: run(SQL.text("job/output"), {"id": str(job_id)}))
    if not rows:
        raise JobNotFound(f"expected the id of a completed job, got {job_id}")
    return None if rows[0][0] is None else json.loads(rows[0][0])
