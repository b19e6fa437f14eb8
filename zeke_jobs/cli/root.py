"""The commands of ``zeke-jobs``, by name."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotation)
from typing import Annotated

import typer

from zeke_jobs.cli import (
    apply,
    change,
    fleet,
    history,
    jobs,
    migrate,
    pause,
    plan,
    reload,
    schedule,
    schema,
    send,
    tasks,
    uninstall,
    up,
)
from zeke_jobs.cli import set as by_hand

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

        print(f"zeke-jobs {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="By default jobs.yaml, or what ZEKE_JOBS_CONFIG names.", show_default=False)
    ] = None,
) -> None:
    """Check jobs.yaml: exit 0 when it is fine, 2 with every fault and its place when not."""
    from zeke_jobs.cli import check as checking

    raise typer.Exit(checking.run(file))


app.command()(schema.schema)
app.command()(migrate.migrate)
app.command()(up.up)
app.command()(plan.plan)
app.command()(apply.apply)
app.command()(apply.rollback)
app.command("set")(by_hand.set_)
app.command()(history.history)
app.command()(history.show)
app.command()(history.diff)
app.command()(history.compare)
app.command()(fleet.fleet)
app.command()(reload.reload)
app.command()(send.send)
app.command()(jobs.status)
app.command()(jobs.jobs)
app.command()(tasks.tasks)
app.command()(change.cancel)
app.command()(change.retry)
app.command()(pause.pause)
app.command()(pause.resume)
app.command()(pause.paused)
app.add_typer(schedule.app, name="schedule")
app.command()(uninstall.uninstall)
