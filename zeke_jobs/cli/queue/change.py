"""``zeke-jobs cancel`` and ``zeke-jobs retry``."""

from __future__ import annotations

from datetime import timedelta  # noqa: TC003 (typer reads the annotation)
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from zeke_jobs.cli import database, ids, options
from zeke_jobs.cli.output import console, counted, print_json, tell
from zeke_jobs.cli.run import FAILED, UsageError, usage
from zeke_jobs.core.environment import author

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from zeke_jobs.client import Changed

Batch = Annotated[str | None, typer.Option(metavar="ID", help="All jobs of this batch.")]


def cancel(
    job_ids: ids.SomeIds = None,
    batch: Batch = None,
    reason: Annotated[str | None, typer.Option(metavar="WHY", help="Kept with the job, for people.")] = None,
    as_json: options.Json = False,
) -> None:
    """Cancel jobs: queued ones at once, active ones within moments. Exit 1 when one had ended already."""
    from zeke_jobs import client

    if bool(job_ids) == (batch is not None):
        raise UsageError(f"expected ids, or --batch, got {'both' if job_ids else 'neither'}")
    database.choose_to_write()
    if batch is not None:
        _whole(client.cancel_batch, batch, "cancelled, or being stopped", reason=reason, as_json=as_json)
        return
    _each(job_ids or [], lambda job_id: client.cancel(job_id, reason, by=author()), as_json=as_json)


def retry(
    job_ids: ids.SomeIds = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="All of this task, by id or alias.")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="All that are: failed or cancelled.")] = None,
    newer: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration, metavar="DURATION", help="All that ended within this time, such as 1h."),
    ] = None,
    batch: Batch = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many, the oldest first.", min=1)] = 1000,
    as_json: options.Json = False,
) -> None:
    """Run failed or cancelled jobs again, by id or by filter. They keep their history and get a fresh retry limit.

    Exit 1 when there was nothing to retry.
    """
    from zeke_jobs import client

    by_filter = any(said is not None for said in (task, status, newer))
    if [bool(job_ids), by_filter, batch is not None].count(True) != 1:
        raise UsageError(
            "expected ids, a filter (--task, --status, --newer) or --batch, got "
            + ("more than one" if job_ids or by_filter else "none")
        )
    database.choose_to_write()
    if batch is not None:
        _whole(client.retry_batch, batch, "queued again", as_json=as_json)
        return
    if job_ids:
        _each(job_ids, lambda job_id: client.retry(job_id, by=author()), as_json=as_json)
        return
    with usage():
        chosen = cast("Literal['failed', 'cancelled']", status or "failed")
        retried = client.retry(task=task, status=chosen, newer=newer, limit=limit, by=author())
    if as_json:
        print_json([str(job_id) for job_id in retried])
    else:
        console().print(f"{counted(len(retried), 'job')} {'is' if len(retried) == 1 else 'are'} queued again")
    if not retried:
        raise typer.Exit(FAILED)


def _whole(change: Callable[..., list[UUID]], batch: str, what: str, *, as_json: bool, **said: str | None) -> None:
    with usage():
        changed = change(batch, by=author(), **said)
    if as_json:
        print_json([str(job_id) for job_id in changed])
    else:
        console().print(f"{counted(len(changed), 'job')} {'is' if len(changed) == 1 else 'are'} {what}")
    if not changed:
        raise typer.Exit(FAILED)


def _each(job_ids: list[str], change: Callable[[UUID], Changed], *, as_json: bool) -> None:
    done = [change(job_id) for job_id in ids.find_all(job_ids)]
    if as_json:
        print_json(done)
    else:
        for one in done:
            tell(f"{one.id}: {one.note}")
    if not all(one.changed for one in done):
        raise typer.Exit(FAILED)
