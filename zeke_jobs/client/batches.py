"""Batches of jobs: open one, read its progress, cancel it, or run its failed jobs again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from zeke_jobs.client import drivers, sending
from zeke_jobs.client.batch_options import batch_options
from zeke_jobs.client.options import as_count, as_id
from zeke_jobs.core.batch import Batch, BatchStatus
from zeke_jobs.errors import BatchClosed, BatchNotFound
from zeke_jobs.payload import json_text

if TYPE_CHECKING:
    from collections.abc import Hashable
    from uuid import UUID

    from zeke_jobs.client.drivers import Plan
    from zeke_jobs.client.filters import JobFilter
    from zeke_jobs.client.many import Verb
    from zeke_jobs.core.batch import AfterFailure, Then
    from zeke_jobs.core.job import Sent


class _Sender:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def send(self, task: str, payload: Any = None, **options: Any) -> Sent:
        return sending.send(task, payload, **{"connection": self._connection, **options})

    def send_many(self, task: str, payloads: Any, **options: Any) -> list[Sent]:
        return sending.send_many(task, payloads, **{"connection": self._connection, **options})


def batch(
    id: str,  # noqa: A002 (the field's word)
    *,
    then: Then | None = None,
    after_failure: AfterFailure = "send",
    connection: Any = None,
) -> Batch:
    """Open a batch, so that several sends, of several tasks, can add to it.

    Example: ``with zeke_jobs.batch("import-42", then=…) as batch: batch.send(…)``.

    An open batch may be opened again. ``send_many(…, batch=…, then=…)`` does the same in one call for jobs of one task.

    Args:
        id: Its name: up to 1024 bytes that no other batch had within ninety days.
        then: The task and the payload of the job that is sent when the last job has ended.
        after_failure: With ``send``, a job that failed for good counts as ended; with ``hold``, the batch waits until somebody
            retries or cancels it.
        connection: As for ``send``; the default for its sends.

    Raises:
        BatchClosed: a batch with this id exists and was closed.
        UnknownTask, InvalidPayload, ValueError: of ``then``, as ``send``.
    """
    open_(id, then, after_failure, connection)
    return Batch(id, _Sender(connection), partial(close, id, connection))


def open_(batch_id: str, then: Then | None, after_failure: AfterFailure, connection: Any) -> None:
    """Open it, for ``batch`` and for ``ctx.batch``."""

    def plan(database: Hashable) -> Plan[None]:
        given = {"batch": batch_id, "then": then, "after_failure": after_failure}
        checked = yield from batch_options(given, database)
        task, payload = (
            (checked["then"]["task"], json_text.encode(checked["then"]["payload"])) if checked["then"] else (None, "{}")
        )
        params = {"id": batch_id, "task": task, "payload": payload, "after_failure": after_failure}
        ((opened,),) = yield "batch/open", params
        if not opened:
            raise BatchClosed(f"expected a batch that is new or open, got {batch_id!r}, which was closed")

    drivers.perform(plan, connection)


def close(batch_id: str, connection: Any = None) -> bool:
    """Close it; False if it is already closed."""
    ((closed,),) = drivers.perform(drivers.ask("batch/close", {"id": batch_id}), connection)
    return bool(closed)


def batch_status(id: str, *, connection: Any = None) -> BatchStatus:  # noqa: A002 (the field's word)
    """The present state of a batch.

    Raises:
        BatchNotFound: no batch has this id.
    """
    found = find(connection, id=id, limit=1)
    if not found:
        raise BatchNotFound(f"expected the id of a batch, got {id!r}")
    return found[0]


def batches(*, limit: int = 20, connection: Any = None) -> list[BatchStatus]:
    """The newest batches.

    Raises:
        TypeError, ValueError: the limit is not valid.
    """
    return find(connection, id=None, limit=as_count("limit", limit))


def find(connection: Any, **filters: Any) -> list[BatchStatus]:
    """One batch by its id, or the newest."""
    rows = drivers.perform(drivers.ask("batch/list", filters), connection)
    found = [BatchStatus(*row) for row in rows]
    return [replace(one, then_job=as_id("id", one.then_job)) if one.then_job else one for one in found]


def cancel_batch(id: str, reason: str | None = None, *, by: str | None = None, connection: Any = None) -> list[UUID]:  # noqa: A002
    """Cancel the unfinished jobs of a batch, and the send at its end. Returns the cancelled jobs.

    Raises:
        BatchNotFound: no batch has this id.
    """
    params = {"id": id, "reason": reason, "by": by}
    return _changed(id, connection, "batch/cancel", params)


def retry_batch(id: str, *, by: str | None = None, connection: Any = None) -> list[UUID]:  # noqa: A002 (the field's word)
    """Run the failed jobs of a batch again. In a cancelled batch, its cancelled jobs too; the send at its end is then due again.

    Raises:
        BatchNotFound: no batch has this id.
    """
    return _changed(id, connection, "batch/retry", {"id": id, "by": by})


def changeable(verb: Verb, id: str) -> JobFilter:  # noqa: A002 (the field's word)
    """The filter of the jobs that ``cancel_batch`` or ``retry_batch`` would change now.

    Raises:
        BatchNotFound: no batch has this id.
    """
    rows = drivers.perform(drivers.ask("batch/whole", {"id": id}))
    if not rows:
        raise BatchNotFound(f"expected the id of a batch, got {id!r}")
    ((holds, is_cancelled),) = rows
    if verb == "cancel":
        return {"batch": id, "status": ["created", "retry", "active", *(["failed"] if holds else [])]}
    return {"batch": id, "status": ["failed", *(["cancelled"] if is_cancelled else [])]}


def _changed(batch_id: str, connection: Any, statement: str, params: dict[str, Any]) -> list[UUID]:
    rows = drivers.perform(drivers.ask(statement, params), connection)
    if not rows:
        batch_status(batch_id, connection=connection)
    return [as_id("id", row[0]) for row in rows]
