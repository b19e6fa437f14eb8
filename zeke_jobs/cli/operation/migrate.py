"""``zeke-jobs migrate``, ``roles`` and ``uninstall``: the database's schema, its access rights, and its removal."""

from typing import Annotated

import typer

from zeke_jobs import config
from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.output import console, escape, print_json, say
from zeke_jobs.cli.run import FAILED, FINE, PENDING
from zeke_jobs.core import environment
from zeke_jobs.core.terminal import visible
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import migrate as migrations
from zeke_jobs.postgres import roles as made
from zeke_jobs.postgres import uninstall as removing
from zeke_jobs.postgres.queries import Row


def migrate(
    check: Annotated[bool, options.flag("--check", "Change nothing; exit 4 if migrations are missing.")] = False,
    as_json: options.Json = False,
) -> int:
    """Apply the missing migrations: first of zeke_jobs, then of the packages in jobs.yaml."""
    find_modules_here()
    packages = _packages()
    with database.connection("migrate", is_migrated=False) as conn:
        found = migrations.pending(conn, packages) if check else migrations.migrate(conn, packages)
    names = [f"{migration.package}/{migration.name}" for migration in found]
    if as_json:
        print_json({"pending" if check else "applied": names})
    else:
        for name in names:
            console().print(f"{'to apply' if check else 'applied'} {escape(name)}")
        of = escape(", ".join((migrations.OURS, *packages)))
        console().print(
            f"{len(names)} to apply" if check else f"{len(names)} applied; the database is up to date with {of}"
        )
    return PENDING if check and names else FINE


def _packages() -> list[str]:
    """Packages with migrations, as listed in jobs.yaml; none without a file."""
    path = environment.config_path()
    if environment.lookup(environment.CONFIG) is None and not path.exists():
        return []
    # Handlers may fail to import before their tables exist.
    return list(config.load(path, handlers=False).migrations)


def roles(
    apply: Annotated[
        bool,
        options.flag("--apply", "Run the statements; needs the schema's owner with the right to create roles."),
    ] = False,
) -> None:
    """Print the statements that create the roles zeke_jobs_client, _worker, _operator and _reader with their rights."""
    from psycopg2.errors import InsufficientPrivilege

    if not apply:
        say(made.script(), end="")
        return
    with database.connection("roles", writes=True, is_migrated=False) as conn:
        try:
            made.grant(conn)
        except InsufficientPrivilege as error:
            raise ZekeJobsError(
                f"expected a user who owns the schema and may create roles, got: {str(error).strip()}\n"
                "  help: let such a user run it: zeke-jobs roles | psql"
            ) from error
    console().print("granted:", made.CLIENT, made.WORKER, made.OPERATOR, made.READER)


def uninstall(
    package: Annotated[
        list[str] | None,
        options.option("Also the objects of this package's migrations, such as actors.store.", "PACKAGE"),
    ] = None,
    yes: Annotated[bool, options.flag("--yes", "Do not ask.")] = False,
) -> int:
    """Remove the schema zeke_jobs with all jobs, and the views beside it, after asking. Tables of packages stay unless named."""
    with database.connection("uninstall", writes=True, is_migrated=False) as conn:
        removal = removing.plan(conn, package or ())
        _show(removal)
        if not yes and typer.prompt(f"type {visible(removal.database)} to remove all this") != removal.database:
            say("nothing was removed", is_trouble=True)
            return FAILED
        for default in removing.uninstall(conn, removal):
            console().print(f"gone with the functions of zeke_jobs: {escape(default)}")
    console().print(f"removed from {escape(removal.database)}")
    return FINE


def _show(removal: Row) -> None:
    out = console()
    owner = escape(removal.environment or "unnamed")
    out.print(f"to be removed from database {escape(removal.database)} (environment {owner}):")
    out.print(f"  schema zeke_jobs with {removal.jobs} jobs, {removal.unfinished} of them unfinished")
    for view in removal.views:
        out.print(f"  view {escape(view)}")
    for one in removal.made:
        if not one.startswith("index "):  # indexes go with their tables
            out.print(f"  {escape(one)}")
    for name, objects in removal.left.items():
        tables = [one.removeprefix("table ") for one in objects if one.startswith("table ")]
        if tables:
            out.print(f"stays, unless --package {escape(name)}: {escape(', '.join(tables))}")
