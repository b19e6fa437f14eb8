"""Changes many jobs from the command line: counts first, asks on a terminal, and shows progress."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeke_jobs.cli import ids, options
from zeke_jobs.cli.output import console, counted, listing, print_json, say, styled
from zeke_jobs.cli.run import FAILED, UsageError, usage

if TYPE_CHECKING:
    from uuid import UUID

    from zeke_jobs.client.many import Change, Count

Task = Annotated[str | None, typer.Option(metavar="TASK", help="All jobs of this task, by id or alias.")]
Status = Annotated[
    list[str] | None, typer.Option(metavar="STATUS", help="All jobs in this status; may be given more than once.")
]
Newer = Annotated[
    timedelta | None,
    typer.Option(
        parser=options.duration,
        metavar="DURATION",
        help="All jobs sent (or if they have ended: ended) within this time, such as 1h.",
    ),
]
Older = Annotated[
    timedelta | None,
    typer.Option(
        parser=options.duration,
        metavar="DURATION",
        help="All jobs sent (or if they have ended: ended) longer ago than this.",
    ),
]
Key = Annotated[str | None, typer.Option(metavar="KEY", help="All jobs with this key.")]
Error = Annotated[
    str | None, typer.Option(metavar="TEXT", help="All jobs with this text in the last error's type or message.")
]
Queue = Annotated[str | None, typer.Option(metavar="NAME", help="All jobs of this queue.")]
Parent = Annotated[str | None, typer.Option(metavar="ID", help="All jobs that this job sent.")]
Batch = Annotated[str | None, typer.Option(metavar="ID", help="All jobs of this batch.")]
Limit = Annotated[
    int | None, typer.Option(metavar="N", help="Largest number of jobs, the first sent first; by default all.", min=1)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them, by task and status.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, on a terminal.")]

_SLOW = 1000  # jobs; a change of more shows its progress


_FILTERS = ("task", "status", "newer", "older", "key", "error", "queue", "parent", "batch")


def filters(job_ids: list[str] | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """The filters among a command's arguments; a parent's id may be its beginning or end.

    Raises:
        UsageError: there are neither ids nor filters, or both.
    """
    given = {name: arguments[name] for name in _FILTERS if arguments[name] not in (None, [])}
    if "parent" in given:
        given["parent"] = str(ids.find(given["parent"]))
    if bool(job_ids) is bool(given):
        options = ", ".join(f"--{name}" for name in _FILTERS)
        raise UsageError(f"expected ids, or filters ({options}), got {'both' if given else 'neither'}")
    return given


def run(change: Change, verb: str, done: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Count the jobs, ask if a person is at the terminal, and change them; exit 1 if there are none."""
    with usage():
        found = change.count()
    total = sum(one.jobs for one in found)
    if dry_run:
        _show(found, as_json=as_json)
        if total == 0:
            raise typer.Exit(FAILED)
        return
    asks = total > 0 and not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    if asks:
        _show(found, as_json=False)
        typer.confirm(f"{verb} {counted(total, 'job')}?", abort=True)
    tell_changed(_change(change, total, as_json=as_json), done, as_json=as_json)


def tell_changed(changed: list[UUID], done: str, *, as_json: bool) -> None:
    """Print the number of changed jobs, or their ids as JSON; exit 1 if there are none."""
    if as_json:
        print_json([str(job_id) for job_id in changed])
    else:
        console().print(f"{counted(len(changed), 'job')} {'is' if len(changed) == 1 else 'are'} {done}")
    if not changed:
        raise typer.Exit(FAILED)


def _show(found: list[Count], *, as_json: bool) -> None:
    columns = {"task": lambda one: one.task_id, "status": lambda one: styled(one.status), "jobs": lambda one: one.jobs}
    listing(found, columns, right=("jobs",), empty="no such jobs", as_json=as_json)


def _change(change: Change, total: int, *, as_json: bool) -> list[UUID]:
    changed: list[UUID] = []
    shows = total > _SLOW and not as_json and sys.stderr.isatty()
    try:
        for part in change.parts():
            changed += part
            if shows:
                say(f"\x1b[2K\r{len(changed):,} of {total:,}", end="", is_trouble=True)
    except BaseException:
        # Each part is a transaction, so earlier parts stay changed; the answer about the last one may be lost.
        say(
            f"at least {counted(len(changed), 'job')} changed before it was interrupted; run it again for the rest",
            is_trouble=True,
        )
        raise
    finally:
        if shows:
            say("", is_trouble=True)
    return changed
