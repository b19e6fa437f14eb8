"""``zeke-jobs cancel``, ``retry``, ``prioritise`` and ``reschedule``."""

from __future__ import annotations

from datetime import datetime, timedelta  # noqa: TC003 (typer reads the annotations)
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeke_jobs.cli import database, ids, options
from zeke_jobs.cli.output import print_json, tell
from zeke_jobs.cli.queue import many
from zeke_jobs.cli.run import FAILED, usage
from zeke_jobs.core.environment import author

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from zeke_jobs.client import Changed
    from zeke_jobs.client.many import Verb


def cancel(
    job_ids: ids.SomeIds = None,
    task: many.Task = None,
    status: many.Status = None,
    newer: many.Newer = None,
    older: many.Older = None,
    key: many.Key = None,
    error: many.Error = None,
    queue: many.Queue = None,
    parent: many.Parent = None,
    batch: many.Batch = None,
    reason: Annotated[str | None, typer.Option(metavar="WHY", help="Kept with the job, for people.")] = None,
    limit: many.Limit = None,
    dry_run: many.DryRun = False,
    yes: many.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Cancel jobs, by id or by filter: queued ones at once, active ones within moments.

    Exit 1 if one had ended already, or no job matched.
    """
    from zeke_jobs import client

    given = many.filters(job_ids, locals())
    database.choose_to_write()
    if job_ids:
        _each(job_ids, lambda one: client.cancel(one, reason, by=author()), as_json=as_json)
        return
    whole = partial(client.cancel_batch, reason=reason, by=author())
    done = "cancelled, or being stopped"
    _many("cancel", given, done, whole, reason=reason, limit=limit, dry_run=dry_run, yes=yes, as_json=as_json)


def retry(
    job_ids: ids.SomeIds = None,
    task: many.Task = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="All jobs in this status: failed or cancelled.")
    ] = None,
    newer: many.Newer = None,
    older: many.Older = None,
    key: many.Key = None,
    error: many.Error = None,
    queue: many.Queue = None,
    parent: many.Parent = None,
    batch: many.Batch = None,
    limit: many.Limit = None,
    dry_run: many.DryRun = False,
    yes: many.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Run failed or cancelled jobs again, by id or by filter. They keep their history and get a fresh retry limit.

    Exit 1 when there was nothing to retry.
    """
    from zeke_jobs import client

    given = many.filters(job_ids, locals())
    database.choose_to_write()
    if job_ids:
        _each(job_ids, lambda one: client.retry(one, by=author()), as_json=as_json)
        return
    whole = partial(client.retry_batch, by=author())
    _many("retry", given, "queued again", whole, limit=limit, dry_run=dry_run, yes=yes, as_json=as_json)


def prioritise(
    priority: Annotated[int, typer.Option(metavar="N", help="Higher runs first.", show_default=False)],
    job_ids: ids.SomeIds = None,
    task: many.Task = None,
    status: many.Status = None,
    newer: many.Newer = None,
    older: many.Older = None,
    key: many.Key = None,
    error: many.Error = None,
    queue: many.Queue = None,
    parent: many.Parent = None,
    batch: many.Batch = None,
    limit: many.Limit = None,
    dry_run: many.DryRun = False,
    yes: many.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Give queued jobs another priority, by id or by filter. Exit 1 when there was nothing to change."""
    from zeke_jobs import client
    from zeke_jobs.client.options import priority_of

    given = many.filters(job_ids, locals())
    with usage():
        value = {"priority": priority_of("priority", priority)}
    database.choose_to_write()
    if job_ids:
        with usage():
            _each(job_ids, lambda one: client.prioritise(one, priority=priority, by=author()), as_json=as_json)
        return
    done = f"of priority {priority} now"
    _many("prioritise", given, done, value=value, limit=limit, dry_run=dry_run, yes=yes, as_json=as_json)


def reschedule(
    job_ids: ids.SomeIds = None,
    run_at: Annotated[
        datetime | None,
        typer.Option(parser=options.moment, metavar="TIME", help="Not before this time, such as 2026-01-31T08:00Z."),
    ] = None,
    delay: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration, metavar="DURATION", help="Not before this time from now; 0s is at once."),
    ] = None,
    task: many.Task = None,
    status: many.Status = None,
    newer: many.Newer = None,
    older: many.Older = None,
    key: many.Key = None,
    error: many.Error = None,
    queue: many.Queue = None,
    parent: many.Parent = None,
    batch: many.Batch = None,
    limit: many.Limit = None,
    dry_run: many.DryRun = False,
    yes: many.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Let queued jobs run at another time, by id or by filter. Exit 1 when there was nothing to change."""
    from zeke_jobs import client
    from zeke_jobs.client.options import run_time_of

    given = many.filters(job_ids, locals())
    with usage():
        value = run_time_of(run_at, delay)
    database.choose_to_write()
    if job_ids:
        _each(job_ids, lambda one: client.reschedule(one, run_at=run_at, delay=delay, by=author()), as_json=as_json)
        return
    done = "due at their new time"
    _many("reschedule", given, done, value=value, limit=limit, dry_run=dry_run, yes=yes, as_json=as_json)


def _many(
    verb: Verb,
    given: dict[str, Any],
    done: str,
    whole: Callable[[str], list[UUID]] | None = None,
    *,
    value: dict[str, Any] | None = None,
    reason: str | None = None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Change all jobs that match filters. A batch alone, without a limit, is changed with its end, by ``whole``."""
    from zeke_jobs.client.batches import changeable
    from zeke_jobs.client.many import Change

    with usage():
        if whole is not None and given.keys() == {"batch"} and limit is None:
            if not dry_run:
                many.tell_changed(whole(given["batch"]), done, as_json=as_json)
                return
            given = dict(changeable(verb, given["batch"]))
        change = Change(verb, given, value=value, limit=limit, reason=reason, by=author())
    many.run(change, verb, done, dry_run=dry_run, yes=yes, as_json=as_json)


def _each(job_ids: list[str], change: Callable[[UUID], Changed], *, as_json: bool) -> None:
    found = [ids.find(text) for text in job_ids]  # all, before any is changed
    done = [change(job_id) for job_id in found]
    if as_json:
        print_json(done)
    else:
        for one in done:
            tell(f"{one.id}: {one.note}")
    if not all(one.changed for one in done):
        raise typer.Exit(FAILED)
