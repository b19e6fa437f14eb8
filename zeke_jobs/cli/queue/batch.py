"""``zeke-jobs batch`` and ``emit``: batches with their progress, and events for waiting jobs."""

from typing import Annotated

import zeke_jobs
from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import count, escape, facts, listing, print_json, styled, tell, when
from zeke_jobs.cli.run import usage
from zeke_jobs.client import batches
from zeke_jobs.core.batch import BatchStatus
from zeke_jobs.core.wording import passed, progress


def batch(
    batch_id: Annotated[str | None, options.argument("The batch; without it, the newest ones.", "[ID]")] = None,
    limit: Annotated[int, options.option("Largest number of batches.", "N", min=1)] = 20,
    as_json: options.Json = False,
) -> None:
    """Show a batch: its numbers of unfinished, completed, failed and cancelled jobs, and the job at its end."""
    database.choose()
    if batch_id is None:
        columns = {
            "batch": lambda one: one.id,
            "state": lambda one: styled(one.status),
            "made": lambda one: passed(one.created_on),
            "jobs": lambda one: one.jobs,
            "unfinished": lambda one: one.unfinished or "",
            "failed": lambda one: one.failed or "",
            "cancelled": lambda one: one.cancelled or "",
            "then": lambda one: one.then_task or "",
        }
        right = ("made", "jobs", "unfinished", "failed", "cancelled")
        with usage():
            found = batches.batches(limit=limit)
        listing(found, columns, right=right, empty="no batches", as_json=as_json)
        return
    with usage():
        one = zeke_jobs.batch_status(batch_id)
    if as_json:
        print_json(one)
    else:
        _show(one)


def _show(found: BatchStatus) -> None:
    values = {
        "state": found.status,
        "jobs": f"{progress({'done': found.finished, 'total': found.jobs, 'note': ''})} ended",
        "completed": str(found.completed),
        "failed": found.failed,
        "cancelled": found.cancelled,
        "made": when(found.created_on),
        "ended": when(found.ended_on),
        "then": _end(found),
    }
    facts(found.id, values)
    if found.status == "held":
        tell(
            f"  {'':<9} {count(found.failed, 'failed job')} hold the end up: "
            f"zeke-jobs retry --batch {escape(found.id)}, or cancel them"
        )


def _end(found: BatchStatus) -> str:
    if found.then_task is None:
        return ""
    if found.then_job is not None:
        return f"{found.then_task} {found.then_job}"
    if found.then_outcome is not None:
        return f"{found.then_task} was not sent: {found.then_outcome}"
    return f"{found.then_task}, when the last job has ended"


def emit(
    name: Annotated[str, options.argument("The event, such as callback/42.", "NAME")],
    data: Annotated[str | None, options.argument("The event's data, or - for standard input.", "[JSON]")] = None,
) -> None:
    """Emit an event: jobs that wait for it go on, with the data."""
    value = None if data is None else options.read_json(data, "the data")
    database.choose_to_write()
    with usage():
        zeke_jobs.emit(name, value)
    tell(f"emitted {escape(name)}")
