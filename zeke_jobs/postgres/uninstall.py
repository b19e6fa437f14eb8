"""Removes what migrations made: the schema zeke_jobs, the views with pg-boss's names, and given packages' objects."""

from collections.abc import Collection, Iterable, Sequence

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import MigrationError, ZekeJobsError
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL, Row

# uninstall drops a package's objects in this order of kinds. DROP TABLE also drops the table's indexes.
_ORDER = ("view", "materialized view", "table", "sequence", "index", "function")

_LOG = """DO $$ BEGIN
  RAISE LOG 'zeke-jobs uninstall: % removed the schema zeke_jobs of %', session_user, current_database();
END $$"""


class StillNeeded(ZekeJobsError):
    """A live process or another object (such as a view) needs an object that uninstall would remove. Nothing was removed."""


def plan(conn: Connection, packages: Collection[str] = ()) -> Row:
    """Return the objects of zeke_jobs and of these packages that ``uninstall`` would remove (``made``) or leave (``left``).

    The result also has the columns of the query ``uninstall/summary``, and ``views`` (with pg-boss's names). Raises
    MigrationError if zeke_jobs or a package was never migrated here, and StillNeeded if a process is alive.
    """
    if not SQL.value(conn, "migration/table_exists", table="migration"):
        raise MigrationError("expected a database with tables of zeke_jobs, got one without; nothing is to be removed")
    summary = SQL.only(conn, "uninstall/summary")
    if summary["alive"]:
        raise StillNeeded(f"expected no live processes, got {', '.join(summary['alive'])}; stop them first")
    made = {row["package"]: tuple(row["made"]) for row in SQL.all(conn, "uninstall/made")}
    if unknown := [name for name in packages if name not in made]:
        help_ = suggest(unknown[0], made, what="packages") or "no package but zeke_jobs has migrations here"
        raise MigrationError(f"expected a package whose migrations were applied, got {quote(unknown[0])}; {help_}")
    return Row(
        **summary,
        made=[one for name in packages for one in made[name]],
        left={name: objects for name, objects in made.items() if name not in packages},
        views=[row["name"] for row in SQL.all(conn, "uninstall/views") if row["kind"] == "view"],
    )


def uninstall(conn: Connection, removal: Row) -> list[str]:
    """Remove everything or nothing. Returns the column defaults that were dropped with the functions they called.

    Raises StillNeeded if another object depends on one to remove, and Contended if another session uses the tables.
    """
    return lock_waits.patiently(conn, "uninstall", lambda: _remove(conn, removal))


def _remove(conn: Connection, removal: Row) -> list[str]:
    with transaction(conn):
        lock_waits.bound(conn)
        theirs = SQL.all(conn, "uninstall/views")
        for kind in ("view", "function", "type"):
            _drop(conn, kind.upper(), (row["name"] for row in theirs if row["kind"] == kind))
        for schema in sorted({row["schema"] for row in theirs}):
            if SQL.value(conn, "uninstall/schema_empty", schema=schema):
                _drop(conn, "SCHEMA", [schema])
        _drop_made(conn, removal.made)
        dependents = SQL.all(conn, "uninstall/dependents")
        if needing := [row["object"] for row in dependents if not row["is_default"]]:
            raise StillNeeded(f"expected nothing else to need the removed objects, got {', '.join(needing)}")
        with conn.cursor() as cursor:
            cursor.execute("DROP SCHEMA zeke_jobs CASCADE")
            # The audit trail is removed too, so the server's log records this last change.
            cursor.execute(_LOG)
    return [row["object"] for row in dependents]


def _drop_made(conn: Connection, made: Sequence[str]) -> None:
    try:
        for kind in _ORDER:
            _drop(conn, kind.upper(), (one.removeprefix(f"{kind} ") for one in made if one.startswith(f"{kind} ")))
    except psycopg2.errors.DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or str(error)).replace("\n", "; ")
        raise StillNeeded(f"expected nothing else to need the removed objects, got: {detail}") from error


def _drop(conn: Connection, kind: str, names: Iterable[str]) -> None:
    # Drop all objects in one statement, because they may depend on each other. The server has already quoted the objects' names.
    if listed := ", ".join(names):
        with conn.cursor() as cursor:
            cursor.execute(f"DROP {kind} IF EXISTS {listed}")
