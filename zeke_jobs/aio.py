"""The client for programs on an event loop: ``await zeke_jobs.aio.send(…)``. No call takes a thread.

Each function does the same as its namesake in ``zeke_jobs``, with the same checks, statements and answers. ``connection`` is a
connection or a pool of psycopg 3 (``AsyncConnection``, ``AsyncConnectionPool``) or asyncpg, or SQLAlchemy's
``AsyncConnection`` or ``AsyncSession``. On a connection a call is part of its transaction, without a commit. Without one, each
event loop has up to eight connections of its own, by psycopg 3 (``pip install 'zeke-jobs[psycopg]'``); ``close`` closes them.
"""

from __future__ import annotations

from datetime import timedelta
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Unpack

from zeke_jobs.client import async_drivers, async_listening, changing, events, reading, sending, tracing
from zeke_jobs.client.options import as_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from pydantic import BaseModel

    from zeke_jobs.client.changing import Changed
    from zeke_jobs.client.options import ManySendOptions, OneSendOptions
    from zeke_jobs.core.job import Job, Sent

__all__ = ["cancel", "close", "emit", "retry", "send", "send_many", "status", "wait"]


async def send(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    connection: Any = None,
    **options: Unpack[OneSendOptions],
) -> Sent:
    """Send one job, as ``zeke_jobs.send``."""
    planned = sending.one(task, payload, options)
    with tracing.sending(task):
        return tracing.sent(await async_drivers.perform(planned, connection))


async def send_many(
    task: str,
    payloads: Iterable[Mapping[str, Any] | BaseModel],
    *,
    keys: Sequence[str | None] | None = None,
    connection: Any = None,
    **options: Unpack[ManySendOptions],
) -> list[Sent]:
    """Send many jobs of one task in one statement, as ``zeke_jobs.send_many``."""
    planned = sending.many(task, payloads, keys, options)
    with tracing.sending(task):
        return tracing.sent(await async_drivers.perform(planned, connection) if planned else [])


async def status(id: UUID | str, *, connection: Any = None) -> Job:  # noqa: A002 (the field's word)
    """The job's present state, as ``zeke_jobs.status``."""
    return await async_drivers.perform(reading.one(as_id("id", id)), connection)


async def wait(id: UUID | str, timeout: timedelta | float | None = None, *, connection: Any = None) -> Any:  # noqa: A002, ASYNC109
    """Wait until the job has ended, and return its output, as ``zeke_jobs.wait``.

    Without ``connection`` one connection of the event loop listens for all callers. With a connection, the call polls on it,
    at first twenty times a second, later once; a pool lends a connection only for each poll.
    """
    job_id = as_id("id", id)
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    deadline = None if seconds is None or seconds >= TIMEOUT_MAX else async_listening.now() + seconds
    while True:
        told = await async_listening.ended(job_id, deadline, connection)
        job, found = await async_drivers.perform(reading.result(job_id), connection)
        if job.has_ended:
            return found
        if not told:
            raise reading.still_runs(job, seconds)


async def cancel(
    id: UUID | str,  # noqa: A002 (the field's word)
    reason: str | None = None,
    *,
    by: str | None = None,
    connection: Any = None,
) -> Changed:
    """Cancel a job, as ``zeke_jobs.cancel``."""
    return await async_drivers.perform(changing.cancel_one(as_id("id", id), reason, by), connection)


async def retry(id: UUID | str, *, by: str | None = None, connection: Any = None) -> Changed:  # noqa: A002 (the field's word)
    """Run a failed or cancelled job again, as ``zeke_jobs.retry``."""
    return await async_drivers.perform(changing.retry_one(as_id("id", id), by), connection)


async def emit(name: str, data: Any = None, *, connection: Any = None) -> None:
    """Send an event to the jobs that wait for it, as ``zeke_jobs.emit``."""
    await async_drivers.perform(events.emission(name, data), connection)


async def close() -> None:
    """Close the connections of the running event loop, at the end of a program.

    A later call opens new ones, and so does a wait that has not ended: it goes on.
    """
    await async_listening.close()
    await async_drivers.close()
