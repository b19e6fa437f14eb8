"""Runs ``zeke-jobs migrate``, ``roles`` and ``uninstall``, and ``import``, which takes over the jobs of pg-boss."""

from collections import Counter
from datetime import timedelta
from typing import Annotated

import typer

from zeke_jobs import config
from zeke_jobs.cli import database
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.options import DryRun, Json, Yes, flag, is_asked, option, pair, span
from zeke_jobs.cli.output import answer, count, counter, escape, listing, named, print_json, say, tell
from zeke_jobs.cli.run import FAILED, FINE, PENDING
from zeke_jobs.control.pg_boss import Import, Report
from zeke_jobs.core import environment
from zeke_jobs.core.environment import author
from zeke_jobs.core.quoting import visible
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import migrate as migrations, roles as made, uninstall as removing
from zeke_jobs.postgres.queries import Row


def migrate(
    check: Annotated[bool, flag("--check", "Change nothing; exit 4 if migrations are missing.")] = False,
    as_json: Json = False,
) -> int:
    """Apply the missing migrations: first of zeke_jobs, then of the packages in jobs.yaml."""
    find_modules_here()
    path = environment.config_path()
    is_there = environment.lookup(environment.CONFIG) is not None or path.exists()
    # Do not import handlers, because an import may fail before the handler's tables exist.
    packages = list(config.load(path, handlers=False).migrations) if is_there else []
    with database.connection("migrate", is_migrated=False) as conn:
        found = migrations.pending(conn, packages) if check else migrations.migrate(conn, packages)
    names = [f"{migration.package}/{migration.name}" for migration in found]
    done = "to apply" if check else "applied"
    of = "" if check else f"; the database is up to date with {', '.join((migrations.OURS, *packages))}"
    lines = [*(f"{done} {name}" for name in names), f"{len(names)} {done}{of}"]
    answer({"pending" if check else "applied": names}, "\n".join(map(escape, lines)), as_json=as_json)
    return PENDING if check and names else FINE


def roles(
    apply: Annotated[bool, flag("--apply", "Run them, as a user who owns the schema and may create roles.")] = False,
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
            fault = f"expected a user who owns the schema and may create roles, got: {str(error).strip()}"
            raise ZekeJobsError(f"{fault}\n  help: let such a user run it: zeke-jobs roles | psql") from error
    tell(f"granted: {made.CLIENT} {made.WORKER} {made.OPERATOR} {made.READER}")


def uninstall(
    package: Annotated[list[str] | None, option("Also what this package's migrations made.", "PACKAGE")] = None,
    yes: Annotated[bool, flag("--yes", "Do not ask.")] = False,
) -> int:
    """Ask, then remove the schema zeke_jobs with its jobs, the pg-boss views and, with `--package`, a package's tables."""
    with database.connection("uninstall", writes=True, is_migrated=False) as conn:
        removal = removing.plan(conn, package or ())
        _show(removal)
        if not yes and typer.prompt(f"type {visible(removal.database)} to remove all this") != removal.database:
            say("nothing was removed", is_trouble=True)
            return FAILED
        for default in removing.uninstall(conn, removal):
            tell(f"gone with the functions of zeke_jobs: {escape(default)}")
    tell(f"removed from {escape(removal.database)}")
    return FINE


def _show(removal: Row) -> None:
    lines = [f"to be removed from database {removal.database} (environment {removal.environment or 'unnamed'}):"]
    lines += [f"  schema zeke_jobs with {removal.jobs} jobs, {removal.unfinished} of them unfinished"]
    lines += (f"  view {view}" for view in removal.views)
    lines += (f"  {one}" for one in removal.made if not one.startswith("index "))  # indexes go with their tables
    for name, objects in removal.left.items():
        if tables := ", ".join(one.removeprefix("table ") for one in objects if one.startswith("table ")):
            lines += [f"stays, unless --package {name}: {tables}"]
    tell("\n".join(map(escape, lines)))


_LISTED = 20  # maximum number of jobs and schedules to list that stay in pg-boss
app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Take over jobs and schedules of another job system."""


@app.command("pg-boss", short_help="Take over jobs and schedules of a pg-boss.")
def pg_boss(
    names: Annotated[
        list[str] | None,
        option("Jobs of this queue become this task; may be given more than once.", "NAME=TASK", "--map"),
    ] = None,
    recent: Annotated[timedelta | None, span("Also jobs that completed or failed within this time.")] = None,
    schema: Annotated[str, option("The schema of pg-boss.", "NAME")] = "pgboss",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take over queued, scheduled and recently ended jobs, and the schedules, of pg-boss 10 to 12 in this database.

    A job that is taken is cancelled in pg-boss in the same transaction. Active jobs stay: run the command again when
    they have ended. No job is taken twice.
    """
    mapped = dict(pair(name, "--map NAME=TASK") for name in names or [])
    with database.connection("import", writes=True) as conn:
        importing = Import(conn, schema=schema, names=mapped, recent=recent or timedelta(0), by=author())
        asks = not dry_run and is_asked(yes=yes, as_json=as_json)
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
            of_state = sorted(report.jobs.items())
            jobs = [{"name": name, "state": state, "jobs": number} for (name, state), number in of_state]
            print_json({**vars(report), "jobs": jobs, "unknown": report.unknown})


def _show_import(report: Report, what: str) -> None:
    taken = Counter[str]()
    for (name, _), jobs in report.jobs.items():
        taken[name] += jobs
    numbers = named("queued, of them later=later, active, recent") | {what: lambda one: taken[one.name] or ""}
    columns = named("queue=name, task=task_id") | numbers
    listing(report.queues, columns, right=tuple(numbers), empty="no jobs to take")
    lines = [f"schedule {name} {what}" for name in report.schedules]
    unknown = "because no task has its name; --map {0}=TASK says which one it is"
    lines += (f"left: queue {name}, {unknown.format(name)}" for name in report.unknown)
    if active := sum(queue.active for queue in report.queues):
        lines += [f"left: {count(active, 'active job')}; run this again later, in case pg-boss retries them"]
    lines += (f"left: {one.name}: {one.what}: {' '.join(one.why.split())}" for one in report.left[:_LISTED])
    if len(report.left) > _LISTED:
        lines += [f"and {len(report.left) - _LISTED} more; --json has all"]
    for line in lines:
        tell(escape(line))
