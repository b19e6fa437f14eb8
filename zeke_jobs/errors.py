"""Defines the exceptions that zeke_jobs raises, and exceptions that a handler raises to retry, defer or fail its job."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from zeke_jobs.core import bounds
from zeke_jobs.core.job import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from zeke_jobs.core.job import Job
    from zeke_jobs.core.quoting import Diagnostic


class ZekeJobsError(Exception):
    """Is the base class of all errors of this package."""


class ConfigurationError(ZekeJobsError):
    """jobs.yaml or the environment is wrong. ``diagnostics`` lists the file's faults with line numbers. Nothing was written."""

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)


class MigrationError(ZekeJobsError):
    """The database's schema is behind this code, ahead of it, or was changed by hand."""


class StrandedJobs(ConfigurationError):
    """The new jobs.yaml has no task for some unfinished jobs. Nothing was changed. ``proposal`` has the plan."""

    def __init__(self, message: str, proposal: Any = None) -> None:
        super().__init__(message)
        self.proposal = proposal


class Contended(ZekeJobsError):
    """A database change got no locks in time, because another session holds the locks. Nothing was changed, so try again."""


class UnknownRevision(ZekeJobsError):
    """No revision has this number."""


class UnknownTask(ZekeJobsError):
    """The database has no task of this name. The message suggests the nearest name."""


class InvalidPayload(ZekeJobsError):
    """The payload does not fit the task's model. Nothing was written. ``errors`` lists (path, message) pairs."""

    def __init__(self, message: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class QueueFull(ZekeJobsError):
    """More than ``max_queued`` jobs of the task would be waiting. Nothing was written."""


class BatchClosed(ZekeJobsError):
    """The batch with this id is closed and takes no more jobs. Nothing was written."""


class BatchNotFound(ZekeJobsError):
    """No batch has this id."""


class JobNotFound(ZekeJobsError):
    """No job has this id, and the database has no record of a purged job with this id."""


class JobPurged(JobNotFound):
    """A job with this id existed. The job's row was deleted when the job's retention ended."""


class JobFailed(ZekeJobsError):
    """``wait`` cannot return an output, because the job failed or was cancelled. ``job`` is the ended ``Job``."""

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


class WaitTimeout(ZekeJobsError, TimeoutError):
    """The job did not end within the timeout of ``wait``. The job goes on."""


class ClaimLost(ZekeJobsError):
    """This process no longer holds the job: the job was rescued, cancelled or finished elsewhere. Nothing was committed."""


class Retry(ZekeJobsError):
    """Fails this attempt. The job runs again after ``delay``: a timedelta or seconds, by default from the task's ``retry``.

    ``limit`` replaces the task's ``retry.limit`` for this failure. A delay of more than 100 years raises ValueError.
    """

    def __init__(self, delay: timedelta | float | None = None, reason: str = "", *, limit: int | None = None) -> None:
        super().__init__(reason or "retry requested")
        if limit is not None and limit < 0:
            raise ValueError(f"expected a limit of retries of at least 0, got {limit}")
        self.delay = None if delay is None else bounds.delay("the delay of Retry", delay)
        self.reason = reason
        self.limit = limit


class Defer(ZekeJobsError):
    """Defers the job until ``until`` (a time, or seconds from now). No attempt is counted. A handler raises this.

    A time outside the years 1970 to 8999, or a delay of more than 100 years, raises ValueError.
    """

    def __init__(self, until: datetime | timedelta | float, reason: str) -> None:
        super().__init__(reason)
        self.until: datetime | timedelta
        if isinstance(until, datetime):
            self.until = bounds.moment("the time of Defer", until)
        else:
            self.until = bounds.delay("the delay of Defer", until)
        self.reason = reason


class WaitFor(ZekeJobsError):
    """Lets the job wait for an event (``zeke_jobs.emit``), for at most ``timeout`` (a timedelta or seconds).

    A waiting job holds no thread and no slot, and no attempt is counted. The handler then runs again from the start,
    and ``ctx.event(name)`` returns the event or its timeout. A timeout of more than 100 years raises ValueError.
    """

    def __init__(self, event: str, timeout: timedelta | float) -> None:
        super().__init__(f"event {event}")
        self.event = check_name(event)
        self.timeout = bounds.delay("the timeout of WaitFor", timeout)


class Throttled(Defer):
    """Defers the job, because a service answered 429; ``reason`` is a text for people. No attempt is counted.

    ``limit`` names a limit in jobs.yaml. That limit lets no job start for ``retry_after`` (a timedelta or seconds).
    """

    def __init__(self, limit: str, retry_after: timedelta | float, reason: str = "") -> None:
        super().__init__(retry_after, reason or f"the limit {limit} is throttled")
        self.limit = limit
        self.retry_after = retry_after


class Reject(ZekeJobsError):
    """Fails the job for the given ``reason``, without a retry, because the job can never succeed. A handler raises this."""

    def __init__(self, reason: str, details: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details
