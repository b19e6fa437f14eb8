"""``zeke-jobs cancel`` and ``zeke-jobs retry``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, print_json
from zeke_jobs.cli.run import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zeke_jobs.client import Changed

Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of jobs.", show_default=False)]


def cancel(
    ids: Ids,
    reason: Annotated[str | None, typer.Option(metavar="WHY", help="Kept with the job, for people.")] = None,
    as_json: options.Json = False,
) -> None:
    """Cancel jobs: queued ones at once, active ones within moments. Exit 1 when one had ended already."""
    from zeke_jobs import client
    from zeke_jobs.revisions.boot import author

    database.choose_to_write()
    _each(ids, lambda job_id: client.cancel(job_id, reason, by=author()), as_json=as_json)


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of jobs.", show_default=False)] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="All of this task, by id or alias.")] = None,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="All that are: failed or cancelled.")] = None,
    newer: Annotated[
        str | None, typer.Option(metavar="DURATION", help="All that ended within this time, such as 1h.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many, the oldest first.", min=1)] = 1000,
    as_json: options.Json = False,
) -> None:
    """Run failed or cancelled jobs again, by id or by filter. They keep their history and get a fresh retry limit.

    Exit 1 when there was nothing to retry.
    """
    from zeke_jobs import client
    from zeke_jobs.revisions.boot import author

    by_filter = any(said is not None for said in (task, status, newer))
    if bool(ids) == by_filter:
        raise UsageError("expected ids, or a filter (--task, --status, --newer), got " + ("both" if ids else "neither"))
    database.choose_to_write()
    if ids:
        _each(ids, lambda job_id: client.retry(job_id, by=author()), as_json=as_json)
        return
    try:
        retried = client.retry(
            task=task,
            status=cast("Literal['failed', 'cancelled']", status or "failed"),
            newer=None if newer is None else options.duration(newer),
            limit=limit,
            by=author(),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json([str(job_id) for job_id in retried])
    else:
        console().print(f"{len(retried)} jobs are queued again" if len(retried) != 1 else "1 job is queued again")
    if not retried:
        raise typer.Exit(1)


def _each(ids: list[str], change: Callable[[str], Changed], *, as_json: bool) -> None:
    try:
        done = [change(job_id) for job_id in ids]
    except ValueError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json(done)
    else:
        for one in done:
            console().print(f"{one.id}: {one.note}", soft_wrap=True)
    if not all(one.changed for one in done):
        raise typer.Exit(1)
