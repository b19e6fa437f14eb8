"""Reads jobs: the status of one job, all jobs that match filters, the output of a completed job."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from time import monotonic, sleep
from typing import Any, NoReturn, Unpack
from uuid import UUID

from zeke_jobs.client import drivers
from zeke_jobs.client.options import FILTERS, JobFilter, as_id, as_limit, checked
from zeke_jobs.client.plans import Database
from zeke_jobs.core.job import Job
from zeke_jobs.errors import JobFailed, JobNotFound, JobPurged, WaitTimeout
from zeke_jobs.postgres.pool import DISCONNECTED
from zeke_jobs.postgres.queries import payload_of, value_of

# Statements return ids, JSON and money as text, because drivers would convert these types in different ways.
_READ: dict[str, Callable[[str], Any]] = {
    "id": UUID,
    "parent": UUID,
    "worker": UUID,
    "data": payload_of,
    "output": value_of,
    "error": value_of,
    "attempts": value_of,
    "progress": value_of,
    "cost": Decimal,
}
_NO_FILTER = dict.fromkeys(("id", *FILTERS, "sent", "after", "limit"))
_PAGE = 1000  # jobs of one statement
_SHORTEST, _LONGEST = 0.02, 1.0  # seconds between two checks of a job whose end is awaited
_SHARE = 0.05  # the next pause as a share of the time waited so far; an end is noticed at most this much later


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip((field.name for field in fields(Job)), row, strict=True))
    if values["key"] == values["id"]:
        values["key"] = None  # a job that was sent without a key: limits per key count it by its id
    values["data"] = values["data"] or "{}"
    return Job(**values | {name: read(text) for name, read in _READ.items() if (text := values[name]) is not None})


def status(id: UUID | str, *, connection: Any = None) -> Job:  # noqa: A002 (the field's word)
    """Return a job's current state. Raises JobNotFound, JobPurged (a purged job had the id) or ValueError (not a UUID)."""
    return drivers.perform(connection, one, as_id("id", id))


async def one(database: Database, job_id: UUID) -> Job:
    """Run the database queries of ``status``."""
    rows = await database.ask("job/list", **{**_NO_FILTER, "id": str(job_id)})
    if not rows:
        raise await missing(database, job_id)
    return _job(rows[0])


async def missing(database: Database, job_id: UUID) -> JobNotFound:
    """Return the error for an id without a job: JobPurged if a purged job had this id, otherwise JobNotFound."""
    for task, outcome, ended in await database.ask("job/purged", id=str(job_id)):
        when = f"{ended:%Y-%m-%d %H:%M} UTC"
        return JobPurged(f"expected a job that is kept, got {job_id}: {task}, {outcome} on {when}, purged since")
    return JobNotFound(f"expected the id of a job, got {job_id}: no job has it")


def jobs(*, limit: int | None = None, connection: Any = None, **filters: Unpack[JobFilter]) -> Iterator[Job]:
    """Return all jobs that match every filter, the newest first, read page by page while the caller iterates.

    Each page is a statement of its own, so no query stays open even if the iteration takes hours. A job's state is as it was
    when its page was read. Jobs that are sent during the iteration are left out.

    Args:
        limit: The maximum number of jobs to return.
        connection: As for ``send``.
        filters: ``task`` (id or alias), ``status`` (one, or several), ``parent``, ``batch``, ``queue``, ``key``,
            ``error`` (in the last error's type or message), ``newer`` (sent less than this time ago), ``older`` (more).

    Raises TypeError or ValueError if a filter is unknown, or its value is not valid.
    """
    return _pages(checked(filters), as_limit(limit), connection)


def _pages(filters: dict[str, Any], limit: float, connection: Any) -> Iterator[Job]:
    last: dict[str, Any] = {}
    while limit > 0:
        size = min(limit, _PAGE)
        params = {**_NO_FILTER, **filters, **last, "limit": size}
        page = [_job(row) for row in drivers.perform(connection, Database.ask, "job/list", **params)]
        yield from page
        if len(page) < size:
            return
        last = {"sent": page[-1].created_on, "after": str(page[-1].id)}
        limit -= size


def steps(id: UUID | str, *, connection: Any = None) -> list[str]:  # noqa: A002 (the field's word)
    """Return the names of a job's finished steps, in the order in which the results were stored."""
    return [name for (name,) in drivers.perform(connection, Database.ask, "step/names", id=str(as_id("id", id)))]


def wait(id: UUID | str, timeout: timedelta | float | None = None) -> Any:  # noqa: A002 (the field's word)
    """Wait until the job has ended, and return its output.

    ``wait`` checks the job after 20 ms, then less and less often, and after 20 s once a second.

    Args:
        id: The job's id.
        timeout: A timedelta, or seconds; None and infinity wait for ever.

    Raises:
        JobFailed: the job failed or was cancelled; ``error.job`` is what ``status`` returns.
        WaitTimeout: the job did not end in time. The job goes on.
        JobNotFound: no job has this id; JobPurged if a purged job had this id.
    """
    job_id, seconds = as_id("id", id), seconds_of(timeout)
    job, output = drivers.perform(None, result, job_id)
    for pause in pauses(seconds):
        if job.has_ended:
            break
        sleep(pause)
        with suppress(*DISCONNECTED):  # the server may come back
            if drivers.perform(None, ended, job_id):
                job, output = drivers.perform(None, result, job_id)
    return output if job.has_ended else still_runs(job, seconds)


def seconds_of(timeout: timedelta | float | None) -> float:
    """Return a timeout in seconds. None becomes infinity."""
    return timeout.total_seconds() if isinstance(timeout, timedelta) else math.inf if timeout is None else timeout


def pauses(seconds: float) -> Iterator[float]:
    """Yield the seconds to sleep before each check of a job, until ``seconds`` have passed."""
    begun = monotonic()
    while (waited := monotonic() - begun) < seconds:
        yield min(max(_SHORTEST, waited * _SHARE), _LONGEST, seconds - waited)


async def ended(database: Database, job_id: UUID) -> bool:
    """Ask the database whether a job has ended. An unknown job counts as ended."""
    return bool(await database.ask("job/ended", id=str(job_id)))


async def result(database: Database, job_id: UUID) -> tuple[Job, Any]:
    """Return a job, and its unmasked output if it has completed. Raises JobFailed if it failed or was cancelled."""
    job = await one(database, job_id)
    if not job.has_ended:
        return job, None
    if job.status != "completed":
        raise JobFailed(job.failure(), job)
    rows = await database.ask("job/output", id=str(job_id))
    if not rows:
        raise await missing(database, job_id)
    return job, None if rows[0][0] is None else json.loads(rows[0][0])


def still_runs(job: Job, seconds: float) -> NoReturn:
    """Raise WaitTimeout for a job that has not ended in time."""
    raise WaitTimeout(
        f"expected {job.task_id} {job.id} to end within {seconds:g} s, got {job.status} still\n  help: zeke-jobs why {job.id}"
    )
