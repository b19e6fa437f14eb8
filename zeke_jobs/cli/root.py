"""Lists the commands of ``zeke-jobs`` by name."""

from collections.abc import Sequence
from typing import Annotated

import typer

from zeke_jobs.cli.run import Command, application


def _version(wanted: bool) -> None:
    if wanted:
        from zeke_jobs import __version__
        from zeke_jobs.cli.output import say

        say(f"zeke-jobs {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


_HELP = "A job pipeline on the Postgres you already have. DATABASE_URL names the database, jobs.yaml the tasks."
_COMMANDS = (
    Command("check", "configuration.check:check", "Show every fault of jobs.yaml."),
    Command("init", "configuration.check:init", "Write the files of a first task."),
    Command("schema", "configuration.check:schema", "Print the JSON Schema of jobs.yaml, for editors."),
    Command("migrate", "operation.migrate:migrate", "Apply the migrations that are missing."),
    Command("up", "operation.up:up", "Run workers and scheduler until Ctrl-C, or until idle."),
    Command("plan", "configuration.plan:plan", "Show the changes that a jobs.yaml would make."),
    Command("apply", "configuration.apply:apply", "Put a jobs.yaml in force while everything runs."),
    Command("rollback", "configuration.apply:rollback", "Put an older revision in force again."),
    Command("set", "configuration.apply:set_", "Set values by hand, without a change of jobs.yaml."),
    Command("history", "configuration.history:history", "List the revisions: time, author, reason."),
    Command("show", "configuration.history:show", "Show a revision: its jobs.yaml as it was."),
    Command("diff", "configuration.history:diff", "Show the differences between two revisions."),
    Command("compare", "configuration.history:compare", "Compare how jobs did under two revisions."),
    Command("backtest", "configuration.backtest:backtest", "Show how a change would have affected recorded jobs."),
    Command("capacity", "configuration.backtest:capacity", "Estimate how many jobs a day can run."),
    Command("fleet", "operation.examine:fleet", "List workers and schedulers, and their differences."),
    Command("reload", "operation.up:reload", "Check jobs.yaml, then restart the workers by SIGHUP."),
    Command("send", "queue.change:send", "Send a job."),
    Command("status", "queue.jobs:status", "Show a job in full."),
    Command("logs", "queue.jobs:logs", "Show the last log lines of a job's attempts."),
    Command("top", "operation.examine:top", "Watch everything on a full screen."),
    Command("doctor", "operation.examine:doctor", "Find faults of the system, and say how to fix them."),
    Command("health", "operation.examine:health", "Check whether one part works, for containers."),
    Command("metrics", "operation.examine:metrics", "Print or serve metrics for Prometheus."),
    Command("mcp", "operation.mcp:mcp", "Answer an agent's questions, by the Model Context Protocol."),
    Command("why", "queue.jobs:why", "Explain why a job does not run, or failed."),
    Command("jobs", "queue.jobs:jobs", "List jobs, the newest first."),
    Command("emit", "queue.tasks:emit", "Send an event to waiting jobs."),
    Command("batch", "queue.tasks:batch", "Show a batch of jobs, or the newest ones."),
    Command("tasks", "queue.tasks:tasks", "List the tasks in force, with their jobs by status."),
    Command("limits", "queue.tasks:limits", "List the shared limits, and how much of each is in use."),
    Command("cancel", "queue.change:cancel", "Cancel jobs, queued or active."),
    Command("retry", "queue.change:retry", "Run failed or cancelled jobs again."),
    Command("prioritise", "queue.change:prioritise", "Give queued jobs another priority."),
    Command("reschedule", "queue.change:reschedule", "Let queued jobs run at another time."),
    Command("pause", "queue.schedule:pause", "Start no more jobs of a task, queue or shared limit."),
    Command("resume", "queue.schedule:resume", "Start jobs of a paused target again."),
    Command("paused", "queue.schedule:paused", "List the pauses, with authors and reasons."),
    Command("audit", "operation.examine:audit", "List changes by hand, with their authors."),
    Command("roles", "operation.migrate:roles", "Print or grant least-privilege roles."),
    Command("uninstall", "operation.migrate:uninstall", "Remove the objects that migrations made, after asking."),
    Command("import", "operation.migrate:app", "Take over jobs and schedules of a pg-boss."),
    Command("schedule", "queue.schedule:app", "List, run and backfill schedules."),
)


def app(words: Sequence[str] = ()) -> typer.Typer:
    """Return the application. If ``words`` begin with a command, it has only this command, otherwise all commands."""
    return application(_HELP, _root, "zeke_jobs.cli", _COMMANDS, words)
