"""Opens batches of jobs, reads their progress, cancels them, and runs their failed jobs again."""

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from zeke_jobs.client import drivers, sending
from zeke_jobs.client.many import Verb
from zeke_jobs.client.options import JobFilter, as_id, as_limit
from zeke_jobs.client.plans import Database
from zeke_jobs.core.batch import AfterFailure, Batch, BatchStatus, Then
from zeke_jobs.errors import BatchClosed, BatchNotFound
from zeke_jobs.payload import json_text


def batch(
    id: str,  # noqa: A002 (the field's word)
    *,
    then: Then | None = None,
    after_failure: AfterFailure = "send",
    connection: Any = None,
) -> Batch:
    """Open a batch for jobs of several tasks: ``with zeke_jobs.batch("import-42", then=…) as batch: batch.send(…)``.

    A new call adds to a batch that is open. If all jobs are of one task, ``send_many(…, batch=…, then=…)`` is enough.

    Args:
        id: The batch's id, a text of up to 1024 bytes that no other batch has had within ninety days.
        then: The task and the payload of the job that is sent when the last job has ended.
        after_failure: With ``send``, a job that failed for good counts as ended. With ``hold``, the batch waits until
            somebody retries or cancels the job.
        connection: See ``send``. Jobs of the batch are sent on the same connection.

    Raises:
        BatchClosed: a batch with this id exists and was closed.
        UnknownTask, InvalidPayload, ValueError: ``then`` is not valid; see ``send``.
    """
    open_(id, then, after_failure, connection)
    return Batch(
        id,
        partial(sending.send, connection=connection),
        partial(sending.send_many, connection=connection),
        partial(close, id, connection),
    )


def open_(batch_id: str, then: Then | None, after_failure: AfterFailure, connection: Any) -> None:
    """Open a batch in the database, for ``zeke_jobs.batch`` and a handler's ``ctx.batch``."""
    options = {"batch": batch_id, "then": then, "after_failure": after_failure}
    if not drivers.perform(connection, _open, options):
        raise BatchClosed(f"expected a batch that is new or open, got {batch_id!r}, which was closed")


async def _open(database: Database, options: dict[str, Any]) -> bool:
    then = (await sending.batch_options(database, options))["then"] or {"task": None, "payload": {}}
    last = {"task": then["task"], "payload": json_text.encode(then["payload"])}
    how = {"id": options["batch"], "after_failure": options["after_failure"]}
    ((opened,),) = await database.ask("batch/open", **how, **last)
    return bool(opened)


def close(batch_id: str, connection: Any = None) -> bool:
    """Close a batch. Returns False if the batch is already closed."""
    ((closed,),) = drivers.perform(connection, Database.ask, "batch/close", id=batch_id)
    return bool(closed)


def batch_status(id: str, *, connection: Any = None) -> BatchStatus:  # noqa: A002 (the field's word)
    """Return the current state of a batch. Raises BatchNotFound if no batch has this id."""
    for found in _find(connection, id=id, limit=1):
        return found
    raise BatchNotFound(f"expected the id of a batch, got {id!r}")


def batches(*, limit: int | None = 20, connection: Any = None) -> list[BatchStatus]:
    """Return the newest batches, or all batches if ``limit`` is None. Raises TypeError or ValueError for an invalid limit."""
    return _find(connection, id=None, limit=None if limit is None else as_limit(limit))


def _find(connection: Any, **filters: Any) -> list[BatchStatus]:
    rows = drivers.perform(connection, Database.ask, "batch/list", **filters)
    found = [BatchStatus(*row) for row in rows]
    return [replace(one, then_job=as_id("id", one.then_job)) if one.then_job else one for one in found]


def cancel_batch(id: str, reason: str | None = None, *, by: str | None = None, connection: Any = None) -> list[UUID]:  # noqa: A002
    """Cancel a batch: its unfinished jobs and the job that would be sent at its end. Returns the cancelled jobs.

    Raises BatchNotFound if no batch has this id.
    """
    return _changed(connection, "batch/cancel", id=id, reason=reason, by=by)


def retry_batch(id: str, *, by: str | None = None, connection: Any = None) -> list[UUID]:  # noqa: A002 (the field's word)
    """Run a batch's failed jobs again; if the batch was cancelled, also cancelled ones, and send ``then`` at the end.

    Raises BatchNotFound if no batch has this id.
    """
    return _changed(connection, "batch/retry", id=id, by=by)


def changeable(verb: Verb, id: str) -> JobFilter:  # noqa: A002 (the field's word)
    """Return a filter that matches the jobs that ``cancel_batch`` or ``retry_batch`` would change now."""
    batch_status(id)
    ((holds, is_cancelled),) = drivers.perform(None, Database.ask, "batch/whole", id=id)
    if verb == "cancel":
        return {"batch": id, "status": ["created", "retry", "active", *(["failed"] if holds else [])]}
    return {"batch": id, "status": ["failed", *(["cancelled"] if is_cancelled else [])]}


def _changed(connection: Any, statement: str, **params: Any) -> list[UUID]:
    rows = drivers.perform(connection, Database.ask, statement, **params)
    if not rows:
        batch_status(params["id"], connection=connection)
    return [as_id("id", row[0]) for row in rows]
