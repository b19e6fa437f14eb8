"""The commands of ``zeke-jobs``, by name."""

from __future__ import annotations

from typing import Annotated

import typer

from zeke_jobs.cli.configuration import apply, backtest, capacity, check, history, init, plan
from zeke_jobs.cli.configuration import set as by_hand
from zeke_jobs.cli.operation import audit, examine, importing, migrate, reload, up, watch
from zeke_jobs.cli.queue import batch, change, emit, jobs, logs, pause, schedule, send, tasks, why

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


_COMMANDS = (
    (check.check, "Say all that is wrong with jobs.yaml."),
    (init.init, "Write the files of a first task."),
    (check.schema, "Print the JSON Schema of jobs.yaml, for editors."),
    (migrate.migrate, "Apply the migrations that are missing."),
    (up.up, "Run workers and scheduler until Ctrl-C."),
    (plan.plan, "Show what a jobs.yaml would change."),
    (apply.apply, "Put a jobs.yaml in force while everything runs."),
    (apply.rollback, "Put an older revision in force again."),
    (by_hand.set_, "Set values by hand beside jobs.yaml."),
    (history.history, "List the revisions: when, who, why."),
    (history.show, "Show a revision: its jobs.yaml as it was."),
    (history.diff, "Show what changed from one revision to another."),
    (history.compare, "Compare how jobs did under two revisions."),
    (backtest.backtest, "Say what a change would have done to recorded jobs."),
    (capacity.capacity, "Say how many jobs a day are carried, and what runs out."),
    (examine.fleet, "List workers and schedulers, and where one drifts."),
    (reload.reload, "Check jobs.yaml, then restart the workers by SIGHUP."),
    (send.send, "Send a job."),
    (jobs.status, "Show a job in full."),
    (logs.logs, "Show what a job's attempts logged."),
    (watch.top, "Watch everything on a full screen."),
    (examine.doctor, "Examine the whole, and say what to do."),
    (examine.health, "Say whether one part works, for containers."),
    (watch.metrics, "Print or serve metrics for Prometheus."),
    (why.why, "Say why a job does not run, or failed."),
    (jobs.jobs, "List jobs, the newest first."),
    (emit.emit, "Tell waiting jobs that something happened."),
    (batch.batch, "Show a batch of jobs, or the newest ones."),
    (tasks.tasks, "List the tasks in force, with their jobs by status."),
    (tasks.limits, "List the shared limits, and how much of each is in use."),
    (change.cancel, "Cancel jobs, queued or active."),
    (change.retry, "Run failed or cancelled jobs again."),
    (change.prioritise, "Give queued jobs another priority."),
    (change.reschedule, "Let queued jobs run at another time."),
    (pause.pause, "Start no more jobs of a task, queue or shared limit."),
    (pause.resume, "Start jobs again of what was paused."),
    (pause.paused, "List what is paused, by whom and why."),
    (audit.audit, "List what was changed by hand, and by whom."),
    (migrate.roles, "Print or grant least-privilege roles."),
    (migrate.uninstall, "Remove what migrations made, after asking."),
)
for command, help_ in _COMMANDS:
    app.command(command.__name__.rstrip("_"), short_help=help_)(command)
app.add_typer(importing.app, name="import", short_help="Take over jobs and schedules of a pg-boss.")
app.add_typer(schedule.app, name="schedule", short_help="List, pause, run and backfill schedules.")
