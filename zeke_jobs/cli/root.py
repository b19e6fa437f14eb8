"""The commands of ``zeke-jobs``, by name."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotation)
from typing import Annotated

import typer

from zeke_jobs.cli.configuration import apply, backtest, capacity, history, init, plan, schema
from zeke_jobs.cli.configuration import set as by_hand
from zeke_jobs.cli.operation import audit, doctor, fleet, health, metrics, migrate, reload, roles, top, uninstall, up
from zeke_jobs.cli.queue import change, jobs, limits, pause, schedule, send, tasks, why

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A job pipeline on the Postgres you already have. DATABASE_URL says which one; jobs.yaml says which tasks.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from zeke_jobs import __version__
        from zeke_jobs.cli.output import say

        say(f"zeke-jobs {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command(short_help="Say all that is wrong with jobs.yaml.")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="By default jobs.yaml, or what ZEKE_JOBS_CONFIG names.", show_default=False
        ),
    ] = None,
) -> None:
    """Check jobs.yaml: exit 0 when it is fine, 2 with every fault and its place when not."""
    from zeke_jobs.cli.configuration import check as checking

    raise typer.Exit(checking.run(file))


app.command(short_help="Write the files of a first task.")(init.init)
app.command(short_help="Print the JSON Schema of jobs.yaml, for editors.")(schema.schema)
app.command(short_help="Apply the migrations that are missing.")(migrate.migrate)
app.command(short_help="Run workers and scheduler until Ctrl-C.")(up.up)
app.command(short_help="Show what a jobs.yaml would change.")(plan.plan)
app.command(short_help="Put a jobs.yaml in force while everything runs.")(apply.apply)
app.command(short_help="Put an older revision in force again.")(apply.rollback)
app.command("set", short_help="Set values by hand beside jobs.yaml.")(by_hand.set_)
app.command(short_help="List the revisions: when, who, why.")(history.history)
app.command(short_help="Show a revision: its jobs.yaml as it was.")(history.show)
app.command(short_help="Show what changed from one revision to another.")(history.diff)
app.command(short_help="Compare how jobs did under two revisions.")(history.compare)
app.command(short_help="Say what a change would have done to recorded jobs.")(backtest.backtest)
app.command(short_help="Say how many jobs a day are carried, and what runs out.")(capacity.capacity)
app.command(short_help="List workers and schedulers, and where one drifts.")(fleet.fleet)
app.command(short_help="Check jobs.yaml, then restart the workers by SIGHUP.")(reload.reload)
app.command(short_help="Send a job.")(send.send)
app.command(short_help="Show a job in full.")(jobs.status)
app.command(short_help="Watch everything on a full screen.")(top.top)
app.command(short_help="Examine the whole, and say what to do.")(doctor.doctor)
app.command(short_help="Say whether one part works, for containers.")(health.health)
app.command(short_help="Print or serve metrics for Prometheus.")(metrics.metrics)
app.command(short_help="Say why a job does not run, or failed.")(why.why)
app.command(short_help="List jobs, the newest first.")(jobs.jobs)
app.command(short_help="List the tasks in force, with their jobs by status.")(tasks.tasks)
app.command(short_help="List the shared limits, and how much of each is in use.")(limits.limits)
app.command(short_help="Cancel jobs, queued or active.")(change.cancel)
app.command(short_help="Run failed or cancelled jobs again.")(change.retry)
app.command(short_help="Start no more jobs of a task, queue or shared limit.")(pause.pause)
app.command(short_help="Start jobs again of what was paused.")(pause.resume)
app.command(short_help="List what is paused, by whom and why.")(pause.paused)
app.add_typer(schedule.app, name="schedule", short_help="List, pause, run and backfill schedules.")
app.command(short_help="List what was changed by hand, and by whom.")(audit.audit)
app.command(short_help="Print or grant least-privilege roles.")(roles.roles)
app.command(short_help="Remove what migrations made, after asking.")(uninstall.uninstall)
