"""``zeke-jobs status`` and ``zeke-jobs jobs``: one job in full, and lists of jobs."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import age, console, escape, plain, print_json, styled, table, took, when
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core import costs
from zeke_jobs.core.wording import progress

if TYPE_CHECKING:
    from zeke_jobs.cli.output import Console
    from zeke_jobs.client import Job

_LINE = 100
_NARROW = 80  # columns of a line about an attempt


def status(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="The job's id.", show_default=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end first; exit 1 unless it completed.")] = False,
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="Wait at most so long, such as 30s.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show a job: what it is, how far, its attempts and the jobs that it sent."""
    from zeke_jobs import client
    from zeke_jobs.errors import JobFailed

    database.choose()
    try:
        if wait or timeout is not None:
            client.wait(job_id, None if timeout is None else options.duration(timeout))
        job = client.status(job_id)
    except JobFailed as error:
        job = error.job
    except ValueError as error:
        raise UsageError(str(error)) from error
    children = client.jobs(parent=job.id, limit=50)
    if as_json:
        print_json(
            {**plain(job), "children": [{"id": c.id, "task_id": c.task_id, "status": c.status} for c in children]}
        )
    else:
        _show(job, children)
    if (wait or timeout is not None) and job.status != "completed":
        raise typer.Exit(1)


def jobs(
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only of this task, by id or alias.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Only in this status; may be given more than once.")
    ] = None,
    parent: Annotated[str | None, typer.Option(metavar="ID", help="Only what this job sent.")] = None,
    newer: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Only sent within this time, such as 1h.")
    ] = None,
    older: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Only sent longer ago than this, such as 10m.")
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many.", min=1)] = 20,
    as_json: options.Json = False,
) -> None:
    """List jobs, the newest first."""
    from zeke_jobs import client

    database.choose()
    try:
        found = client.jobs(
            task=task,
            status=status or None,
            parent=parent,
            newer=None if newer is None else options.duration(newer),
            older=None if older is None else options.duration(older),
            limit=limit,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json(found)
        return
    # Most tasks say nothing of costs; then the column would only take room.
    costly = ("cost",) if any(job.cost is not None for job in found) else ()
    rows = table(
        "id", "task", "status", "sent", "took", "retries", *costly, "note", right=("sent", "took", "retries", "cost")
    )
    for job in found:
        retries, cost = str(job.retry_count or ""), (escape(_cost(job)),) if costly else ()
        facts = (age(job.created_on), _took(job), retries, *cost, escape(_note(job)))
        rows.add_row(str(job.id), escape(job.task_id), styled(job.status), *facts)
    console().print(rows if found else "no such jobs")


def _cost(job: Job) -> str:
    return "" if job.cost is None else costs.written(job.cost, job.currency)


def _took(job: Job) -> str:
    if job.started_on is None or job.completed_on is None:
        return ""
    return took((job.completed_on - job.started_on).total_seconds())


def _note(job: Job) -> str:
    """The one thing worth knowing beside the status."""
    if job.status == "active" and job.cancelled_on is not None:
        return "being cancelled"
    if job.error:
        return _cut(job.error_line())
    if job.status == "active" and job.progress:
        return _cut(progress(job.progress))
    if job.waiting_for:
        return _cut(f"deferred until {when(job.run_at)}: {job.waiting_for}")
    if job.status in ("created", "retry") and job.run_at > job.created_on:
        return f"not before {when(job.run_at)}"
    return ""


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def _show(job: Job, children: list[Job]) -> None:
    out = console()
    facts = {
        "task": escape(job.task_id),
        "status": styled(job.status) + (f" · {escape(_note(job))}" if _note(job) else ""),
        "sent": when(job.created_on) + (f" by {job.parent}" if job.parent else ""),
        "tick": when(job.scheduled_for),
        "started": when(job.started_on),
        "ended": when(job.completed_on),
        "revision": str(job.revision or ""),
        "priority": str(job.priority) if job.priority else "",
        "key": escape(job.key or ""),
        "expires": when(job.expires_on),
        "cost": escape(_cost(job)),
        "data": escape(json.dumps(job.data, ensure_ascii=False)),
        "output": "" if job.status != "completed" else escape(json.dumps(job.output, ensure_ascii=False)),
    }
    out.print(f"[bold]{job.id}[/]")
    for name, value in facts.items():
        if value:
            out.print(f"  {name:<9} {value}", soft_wrap=True)
    _show_attempts(out, job)
    for child in children:
        out.print(
            f"  {'sent' if child is children[0] else '':<9} {child.id} {escape(child.task_id)} {styled(child.status)}",
            soft_wrap=True,
        )


def _show_attempts(out: Console, job: Job) -> None:
    """Each attempt with its end; the last one too, which has no entry when it completed or still runs."""
    shown = [(entry.get("attempt", "?"), _utc(entry.get("ended_on")), *_outcome(entry)) for entry in job.attempts]
    if job.status == "completed":
        shown.append((job.retry_count + 1, when(job.completed_on), "completed", ""))
    elif job.status == "active" and job.started_on is not None:
        shown.append((job.retry_count + 1, when(job.started_on), "active", "since then"))
    width = max((len(outcome) for _, _, outcome, _ in shown), default=0)
    for number, moment, outcome, why in shown:
        head = f"  {f'attempt {number}':<9} {moment:<23}  "
        lines = wrap(
            f"{head}{outcome:<{width}}  {' '.join(why.split())}".rstrip(),
            _NARROW,
            subsequent_indent=" " * (len(head) + width + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        out.print("\n".join(lines), soft_wrap=True, markup=False)


def _utc(text: str | None) -> str:
    return "" if text is None else when(options.moment(text))


def _outcome(entry: dict[str, Any]) -> tuple[str, str]:
    error = entry.get("error") or {}
    why = ": ".join(str(part) for part in (error.get("type"), error.get("message")) if part)
    return entry.get("outcome", ""), why or entry.get("reason", "")
