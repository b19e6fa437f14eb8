"""``zeke-jobs uninstall``: take everything out of the database that migrations put there."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.output import console, escape, say
from zeke_jobs.core.terminal import visible

if TYPE_CHECKING:
    from zeke_jobs.postgres.uninstall import Removal


def uninstall(
    package: Annotated[
        list[str] | None,
        typer.Option(metavar="PACKAGE", help="Also what this package's migrations made, as in actors.store."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove the schema zeke_jobs with all jobs, and the views beside it, after asking. Tables of packages stay unless named."""
    from zeke_jobs.postgres import uninstall as removing
    from zeke_jobs.postgres.pool import connect

    with closing(connect(database.choose_to_write(), application_name="zeke-jobs uninstall")) as conn:
        removal = removing.plan(conn, package or ())
        _show(removal)
        if not yes and typer.prompt(f"type {visible(removal.database)} to remove all this") != removal.database:
            say("nothing was removed", is_trouble=True)
            raise typer.Exit(1)
        for default in removing.uninstall(conn, removal):
            console().print(f"gone with the functions of zeke_jobs: {escape(default)}")
    console().print(f"removed from {escape(removal.database)}")


def _show(removal: Removal) -> None:
    out = console()
    out.print(
        f"to be removed from database {escape(removal.database)} (environment {escape(removal.environment or 'unnamed')}):"
    )
    out.print(f"  schema zeke_jobs with {removal.jobs} jobs, {removal.unfinished} of them unfinished")
    for view in removal.views:
        out.print(f"  view {escape(view)}")
    for one in removal.made:
        if not one.startswith("index "):  # they go with their tables
            out.print(f"  {escape(one)}")
    for name, objects in removal.left.items():
        tables = [one.removeprefix("table ") for one in objects if one.startswith("table ")]
        if tables:
            out.print(f"stays, unless --package {escape(name)}: {escape(', '.join(tables))}")
