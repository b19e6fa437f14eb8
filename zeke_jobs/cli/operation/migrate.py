"""``zeke-jobs migrate``, ``roles``, ``uninstall`` and ``import``: the database's schema, rights and removal; jobs of pg-boss."""

from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer

from zeke_jobs import config
from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.output import console, count, counter, escape, listing, print_json, say, tell
from zeke_jobs.cli.run import FAILED, FINE, PENDING
from zeke_jobs.control.pg_boss import Import, Report
from zeke_jobs.core import environment
from zeke_jobs.core.environment import author
from zeke_jobs.core.quoting import visible
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
                _show_import(report, "would be taken")
        if asks:
            typer.confirm("take them over?", abort=True)
        if not dry_run:
            with counter(shows=not as_json) as told:
                report = importing.run(lambda done: told(f"{done:,}"))
            if not as_json:
                _show_import(report, "taken over")
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


def _show_import(report: Report, what: str) -> None:
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
