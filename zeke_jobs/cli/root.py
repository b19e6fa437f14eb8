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
    help="A job pipeline on the Postgres you already have. DATABASE_URL names the database; jobs.yaml describes the tasks.",
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
    (check.check, "Show every fault of jobs.yaml."),
    (init.init, "Write the files of a first task."),
    (check.schema, "Print the JSON Schema of jobs.yaml, for editors."),
    (migrate.migrate, "Apply the migrations that are missing."),
    (up.up, "Run workers and scheduler until Ctrl-C."),
    (plan.plan, "Show the changes that a jobs.yaml would make."),
    (apply.apply, "Put a jobs.yaml in force while everything runs."),
    (apply.rollback, "Put an older revision in force again."),
    (by_hand.set_, "Set values by hand beside jobs.yaml."),
    (history.history, "List the revisions: time, author, reason."),
    (history.show, "Show a revision: its jobs.yaml as it was."),
    (history.diff, "Show the differences between two revisions."),
    (history.compare, "Compare how jobs did under two revisions."),
    (backtest.backtest, "Show how a change would have affected recorded jobs."),
    (capacity.capacity, "Estimate how many jobs a day can run."),
    (examine.fleet, "List workers and schedulers, and their differences."),
    (reload.reload, "Check jobs.yaml, then restart the workers by SIGHUP."),
    (send.send, "Send a job."),
    (jobs.status, "Show a job in full."),
    (logs.logs, "Show the last log lines of a job's attempts."),
    (watch.top, "Watch everything on a full screen."),
    (examine.doctor, "Find faults of the system, and say how to fix them."),
    (examine.health, "Check whether one part works, for containers."),
    (watch.metrics, "Print or serve metrics for Prometheus."),
    (why.why, "Explain why a job does not run, or failed."),
    (jobs.jobs, "List jobs, the newest first."),
    (emit.emit, "Send an event to waiting jobs."),
    (batch.batch, "Show a batch of jobs, or the newest ones."),
    (tasks.tasks, "List the tasks in force, with their jobs by status."),
    (tasks.limits, "List the shared limits, and how much of each is in use."),
    (change.cancel, "Cancel jobs, queued or active."),
    (change.retry, "Run failed or cancelled jobs again."),
    (change.prioritise, "Give queued jobs another priority."),
    (change.reschedule, "Let queued jobs run at another time."),
    (pause.pause, "Start no more jobs of a task, queue or shared limit."),
    (pause.resume, "Start jobs of a paused target again."),
    (pause.paused, "List the pauses, with authors and reasons."),
    (audit.audit, "List changes by hand, with their authors."),
    (migrate.roles, "Print or grant least-privilege roles."),
    (migrate.uninstall, "Remove the objects that migrations made, after asking."),
)
for command, help_ in _COMMANDS:
    app.command(command.__name__.rstrip("_"), short_help=help_)(command)
app.add_typer(importing.app, name="import", short_help="Take over jobs and schedules of a pg-boss.")
app.add_typer(schedule.app, name="schedule", short_help="List, pause, run and backfill schedules.")
