"""Sends and manages jobs from an event loop: ``await zeke_jobs.aio.send(…)``. No call uses a thread.

Each function does the same as its namesake in ``zeke_jobs``, with the same checks, statements and results. ``connection`` is a
connection or a pool of psycopg 3 (``AsyncConnection``, ``AsyncConnectionPool``) or asyncpg, or SQLAlchemy's ``AsyncConnection``
or ``AsyncSession``. A call on a connection is part of the connection's transaction and does not commit. Without ``connection``,
zeke_jobs opens up to eight psycopg 3 connections per event loop (``pip install 'zeke-jobs[psycopg]'``); ``close`` closes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack
from uuid import UUID

from zeke_jobs.client import async_drivers, changing, reading, sending
from zeke_jobs.client.async_drivers import close, perform
from zeke_jobs.client.changing import Changed
from zeke_jobs.client.options import as_id
from zeke_jobs.core.batch import ManyJobOptions, OneJobOptions
from zeke_jobs.core.job import Job, Sent

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["cancel", "close", "emit", "retry", "send", "send_many", "status", "wait"]


async def send(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    connection: Any = None,
    **options: Unpack[OneJobOptions],
) -> Sent:
    """Send one job, like ``zeke_jobs.send``."""
    return await perform(connection, sending.one, task, payload, options)


async def send_many(
    task: str,
    payloads: Iterable[Mapping[str, Any] | BaseModel],
    *,
    keys: Sequence[str | None] | None = None,
    connection: Any = None,
    **options: Unpack[ManyJobOptions],
) -> list[Sent]:
    """Send many jobs of one task in one statement, like ``zeke_jobs.send_many``."""
    return await perform(connection, sending.many, task, payloads, keys, options)


async def status(id: UUID | str, *, connection: Any = None) -> Job:  # noqa: A002 (the field's word)
    """Return the job's current state, like ``zeke_jobs.status``."""
    return await perform(connection, reading.one, as_id("id", id))


async def wait(id: UUID | str, timeout: timedelta | float | None = None, *, connection: Any = None) -> Any:  # noqa: A002, ASYNC109
    """Wait until the job has ended, like ``zeke_jobs.wait``. With a pool, ``wait`` takes a connection for each check."""
    job_id, seconds = as_id("id", id), reading.seconds_of(timeout)
    job, output = await perform(connection, reading.result, job_id)
    for pause in reading.pauses(seconds):
        if job.has_ended:
            break
        await asyncio.sleep(pause)
        with suppress(*(() if connection else async_drivers.own_pool().disconnected)):
            if await perform(connection, reading.ended, job_id):
                job, output = await perform(connection, reading.result, job_id)
    return output if job.has_ended else reading.still_runs(job, seconds)


async def cancel(
    id: UUID | str,  # noqa: A002 (the field's word)
    reason: str | None = None,
    *,
    by: str | None = None,
    connection: Any = None,
) -> Changed:
    """Cancel a job, like ``zeke_jobs.cancel``."""
    return await perform(connection, changing.one, "cancel", as_id("id", id), {}, by=by, reason=reason)


async def retry(id: UUID | str, *, by: str | None = None, connection: Any = None) -> Changed:  # noqa: A002 (the field's word)
    """Run a failed or cancelled job again, like ``zeke_jobs.retry``."""
    return await perform(connection, changing.one, "retry", as_id("id", id), {}, by=by)


async def emit(name: str, data: Any = None, *, connection: Any = None) -> None:
    """Send an event to the jobs that wait for it, like ``zeke_jobs.emit``."""
    await perform(connection, changing.emission, name, data)
