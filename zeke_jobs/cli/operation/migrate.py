"""``zeke-jobs migrate``: bring the database's schema to what this code expects."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.output import console, escape, print_json
from zeke_jobs.cli.run import PENDING
from zeke_jobs.core import environment

if TYPE_CHECKING:
    from pathlib import Path


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 4 when something is to be applied.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Apply the migrations that are missing: those of zeke_jobs, then those of the packages that jobs.yaml names."""
    from zeke_jobs.postgres import migrate as migrations
    from zeke_jobs.postgres.pool import connect

    find_modules_here()
    packages = _packages(environment.config_path())
    with closing(connect(database.choose(), application_name="zeke-jobs migrate")) as conn:
        found = migrations.pending(conn, packages) if check else migrations.migrate(conn, packages)
    names = [f"{migration.package}/{migration.name}" for migration in found]
    if as_json:
        print_json({"pending" if check else "applied": names})
    else:
        for name in names:
            console().print(f"{'to apply' if check else 'applied'} {escape(name)}")
        console().print(f"{len(names)} to apply" if check else f"{len(names)} applied; the database is up to date")
    if check and names:
        raise typer.Exit(PENDING)


def _packages(path: Path) -> list[str]:
    """The packages with migrations that jobs.yaml names; none where nobody named a file and the folder has none."""
    from zeke_jobs import config

    if environment.lookup(environment.CONFIG) is None and not path.exists():
        return []
    # Handlers may not be importable before their tables exist.
    return list(config.load(path, handlers=False).migrations)
