"""``zeke-jobs import pg-boss``: takes over the jobs of a pg-boss in the same database."""

from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import count, counter, escape, listing, print_json, tell
from zeke_jobs.control.pg_boss import Import, Report
from zeke_jobs.core.environment import author

app = typer.Typer(no_args_is_help=True)

_LISTED = 20  # jobs and schedules that are left


@app.callback()
def _root() -> None:
    """Take over jobs and schedules of another job system."""


@app.command("pg-boss", short_help="Take over jobs and schedules of a pg-boss.")
def pg_boss(
    names: Annotated[
        list[str] | None,
        options.option("Jobs of this queue become this task; may be given more than once.", "NAME=TASK", "--map"),
    ] = None,
    recent: Annotated[
        timedelta | None, options.span("Also jobs that completed or failed within this time, for the record.")
    ] = None,
    schema: Annotated[str, options.option("The schema of pg-boss.", "NAME")] = "pgboss",
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Take over queued and scheduled jobs, recent ones and schedules of a pg-boss 10 to 12 in this database.

    A job that is taken is cancelled there in the same transaction. Active jobs stay: run the command again when they have ended.
    No job is taken twice.
    """
    mapped = dict(options.pair(name, "--map NAME=TASK") for name in names or [])
    with database.connection("import", writes=True) as conn:
        importing = Import(conn, schema=schema, names=mapped, recent=recent or timedelta(0), by=author())
        asks = not dry_run and options.is_asked(yes=yes, as_json=as_json)
        if dry_run or asks:
            report = importing.run(commits=False)
            if not as_json:
                _show(report, "would be taken")
        if asks:
            typer.confirm("take them over?", abort=True)
        if not dry_run:
            with counter(shows=not as_json) as told:
                report = importing.run(lambda done: told(f"{done:,}"))
            if not as_json:
                _show(report, "taken over")
        if as_json:
            print_json(_data(report))


def _data(report: Report) -> dict[str, object]:
    return {
        "version": report.version,
        "queues": report.queues,
        "jobs": [{"name": name, "state": state, "jobs": jobs} for (name, state), jobs in sorted(report.jobs.items())],
        "schedules": report.schedules,
        "unknown": report.unknown,
        "left": report.left,
    }


def _show(report: Report, what: str) -> None:
    taken = Counter[str]()
    for (name, _), jobs in report.jobs.items():
        taken[name] += jobs
    columns = {
        "queue": lambda one: one.name,
        "task": lambda one: one.task_id,
        "queued": lambda one: one.queued or "",
        "of them later": lambda one: one.later or "",
        "active": lambda one: one.active or "",
        "recent": lambda one: one.recent or "",
        what: lambda one: taken[one.name] or "",
    }
    listing(
        report.queues, columns, right=("queued", "of them later", "active", "recent", what), empty="no jobs to take"
    )
    for name in report.schedules:
        tell(f"schedule {escape(name)} {what}")
    for name in report.unknown:
        tell(
            f"left: queue {escape(name)}, because no task has its name; --map {escape(name)}=TASK says which one it is"
        )
    active = sum(queue.active for queue in report.queues)
    if active:
        tell(f"left: {count(active, 'active job')}; run this again later, in case pg-boss retries them")
    for one in report.left[:_LISTED]:
        tell(f"left: {escape(one.name)}: {escape(one.what)}: {escape(' '.join(one.why.split()))}")
    if len(report.left) > _LISTED:
        tell(f"and {len(report.left) - _LISTED} more; --json has all")
