"""Runs ``zeke-jobs status``, ``why``, ``jobs`` and ``logs``, which show a job, explain it, list jobs, and show logs."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from textwrap import TextWrapper
from typing import Annotated, Any

import zeke_jobs
from zeke_jobs.cli import database, output
from zeke_jobs.cli.options import FILTERS, MOST, JobId, Json, Limit, Timeout, find_job, flag, option, with_options
from zeke_jobs.cli.output import Markup, console, count, escape, facts, listing, plain, print_json, say, styled, tell
from zeke_jobs.cli.run import FAILED, FINE, usage
from zeke_jobs.client import reading
from zeke_jobs.core.job import Job
from zeke_jobs.core.wording import one_line, passed, progress, took, when
from zeke_jobs.diagnosis import ends
from zeke_jobs.diagnosis.reasons import Reason, told
from zeke_jobs.diagnosis.why import why as explain
from zeke_jobs.errors import JobFailed
from zeke_jobs.postgres.queries import SQL

_LINE = 100
_ROOM = 130  # minimum number of terminal columns at which a list shows whole ids


def status(
    job_id: JobId,
    wait: Annotated[bool, flag("--wait", "Wait for its end first; exit 1 unless it completed.")] = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> int:
    """Show a job: its state, its progress, its attempts and the jobs that it sent."""
    database.choose()
    wanted = find_job(job_id)
    waits = wait or timeout is not None
    with usage(), suppress(JobFailed):
        if waits:
            zeke_jobs.wait(wanted, timeout)
    job = zeke_jobs.status(wanted)
    children = list(zeke_jobs.jobs(parent=job.id, limit=50))
    if as_json:
        sent = [{"id": one.id, "task_id": one.task_id, "status": one.status} for one in children]
        print_json({**as_data(job), "children": sent, "steps": reading.steps(job.id)})
    else:
        _show(job, children, reading.steps(job.id))
    return FAILED if waits and job.status != "completed" else FINE


@partial(with_options, added=FILTERS)
def jobs(given: dict[str, Any], limit: Limit = 20, as_json: Json = False) -> None:
    """List jobs, the newest first."""
    database.choose()
    with usage():
        found = list(zeke_jobs.jobs(**given, limit=limit))
    # Show only the end of a job's id, which leaves room for the note. Every command accepts the end of an id.
    is_short = sys.stdout.isatty() and console().width < _ROOM
    columns = {
        "id": lambda job: str(job.id)[-8:] if is_short else job.id,
        "task": "task_id",
        "status": lambda job: styled(job.status),
        "sent": lambda job: passed(job.created_on),
        "took": _took,
        "retries": "retry_count",
        **({} if all(job.cost is None for job in found) else {"cost": _cost}),
        "note": _note,
    }
    right = ("sent", "took", "retries", "cost")
    listing(found, columns, right=right, empty="no such jobs", as_json=as_json, data=as_data)


def as_data(job: Job) -> dict[str, Any]:
    """Return a job as data for JSON. Each traceback is a list of lines."""
    data: dict[str, Any] = plain(job)
    for error in (data["error"], *(entry.get("error") for entry in data["attempts"])):
        if isinstance(error, dict) and isinstance(error.get("traceback"), str):
            error["traceback"] = error["traceback"].splitlines()
    return data


def _cost(job: Job) -> str:
    return "" if job.cost is None else f"{job.cost.normalize():f} {job.currency}"


def _took(job: Job) -> str:
    if job.started_on is None or job.completed_on is None:
        return ""
    return took((job.completed_on - job.started_on).total_seconds())


def _note(job: Job) -> str:
    if job.status == "active" and job.cancelled_on is not None:
        return "being cancelled"
    if job.error:
        return one_line(job.error_line(), _LINE)
    if job.status == "active" and job.progress:
        return one_line(progress(job.progress), _LINE)
    if job.waiting_for:
        return one_line(f"deferred until {when(job.run_at)}: {job.waiting_for}", _LINE)
    return (
        f"not before {when(job.run_at)}" if job.status in ("created", "retry") and job.run_at > job.created_on else ""
    )


def _show(job: Job, children: list[Job], steps: list[str]) -> None:
    note = _note(job)
    values = {
        "task": job.task_id,
        "status": Markup(styled(job.status) + (f" · {escape(note)}" if note else "")),
        "sent": when(job.created_on) + (f" by {job.parent}" if job.parent else ""),
        "batch": job.batch,
        "steps": steps,
        **output.picked(job, "tick=scheduled_for, started=started_on, ended=completed_on"),
        **output.picked(job, "revision, priority, key, expires=expires_on"),
        "cost": _cost(job),
        "data": json.dumps(job.data, ensure_ascii=False),
        "output": "" if job.status != "completed" else json.dumps(job.output, ensure_ascii=False),
    }
    facts(str(job.id), values)
    show_reasons([ends.attempted(entry) for entry in job.attempts])
    for child in children:
        head = f"  {'sent' if child is children[0] else '':<9}"
        tell(f"{head} {child.id} {escape(child.task_id)} {styled(child.status)}")


def logs(
    job_id: JobId,
    attempt: Annotated[int | None, option("Only of this attempt.", "N", min=1, max=MOST)] = None,
    as_json: Json = False,
) -> int:
    """Show the last lines that each ended attempt logged or printed. Exit 1 if there are no lines.

    Completed attempts keep no lines by default: see `log` (which attempts) and `log_lines` (how many) in jobs.yaml.
    """
    wanted = find_job(job_id)
    with database.connection("logs") as conn:
        zeke_jobs.status(wanted)  # raises an error if no job has this id
        found = [row for row in SQL.all(conn, "job/log", id=wanted) if attempt in (None, row["attempt"])]
    if as_json:
        print_json([{**row, "lines": row["lines"].split("\n")} for row in found])
    elif not found:
        say("no lines: no attempt that keeps them (log in jobs.yaml) has ended and logged any", is_trouble=True)
    else:
        for row in found:
            earlier = f", {count(row['dropped'], 'earlier line')} not kept" if row["dropped"] else ""
            say(f"attempt {row['attempt']}{earlier}")
            say("\n".join(f"  {line}" for line in row["lines"].split("\n")))
    return FINE if found else FAILED


def why(job_id: JobId, as_json: Json = False) -> None:
    """Explain why a job does not run, or how it ended and why. Exit 1 if no job has the id."""
    wanted = find_job(job_id)
    with database.connection("why", is_migrated=False) as conn:
        found = explain(conn, wanted)
    if as_json:
        print_json(found)
        return
    tell(f"[bold]{found.id}[/] {escape(found.task)} {styled(found.status)}")
    for key, value in found.about.items():
        _indented(f"{key}: {value}", 2, "dim")
    show_reasons(found.reasons, found.history)


def show_reasons(reasons: Sequence[Reason], history: Sequence[Reason] = ()) -> None:
    """Print reasons and history, with each sentence wrapped, and the lines of tracebacks unchanged."""
    for indent, style, text in told(reasons, history):
        if style == "red":
            say(" " * indent + text)
        else:
            _indented(text, indent, style)


def _indented(text: str, by: int, style: str) -> None:
    out, indent = console(), " " * by
    wrapper = TextWrapper(out.width, initial_indent=indent, subsequent_indent=indent)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    out.print(wrapper.fill(text), style=style, markup=False, soft_wrap=True)
