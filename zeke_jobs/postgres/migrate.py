"""Bring a database's schema to what this code expects.

Tables change by numbered files, which are frozen once they are committed. Functions, views and triggers hold no data: they
are defined once, in ``sql/code``, and are replaced as a whole when their edition grows.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg2

from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import installation
from zeke_jobs.postgres.pool import is_pooled, transaction
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psycopg2.extensions import connection as Connection

_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_CODE = re.compile(r"code-(\d{4})")
_EDITION = "edition"  # the file that counts the changes of sql/code
_TABLES = "0001_tables.sql"
#: SHA-256 of the names and checksums of version 0.1.0's files, whose databases reach the tables by an upgrade.
_OF_0_1_0 = "113852c4009bc2a047958730f7a56052cf2c2d634c522e1c2f76fc9a7869ef5a"
OURS = "zeke_jobs"


@dataclass(frozen=True)
class Migration:
    """One file. ``package`` and ``name`` identify it; ``checksum`` tells whether it was edited after it was applied.

    ``upgrade`` is run in place of ``text`` where the database has an earlier form of the same.
    """

    package: str
    name: str
    text: str
    in_transaction: bool
    breaking: bool
    upgrade: str = ""

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def available(packages: Iterable[str] = ()) -> list[Migration]:
    """All migrations of zeke_jobs and then of ``packages``, in the order in which they are applied.

    Raises:
        MigrationError: a package or its ``migrations`` folder is missing, or a file has another name than ``0001_words.sql``.
    """
    found = [_dramatiq_pg(), *_of_folder(OURS, "sql/migrations"), code()]
    for package in packages:
        found += of_package(package)
    return found


def of_package(package: str) -> list[Migration]:
    """The migrations that a package brings.

    Raises:
        MigrationError: there is no such package, it has no folder ``migrations``, or a file has an odd name.
    """
    return _of_folder(package, "migrations")


def _from_where_it_is(packages: Iterable[str], applied: Mapping[tuple[str, str], str]) -> list[Migration]:
    """All migrations, in the form that suits the database: one of 0.1.0 has most of the tables already.

    Raises:
        MigrationError: it was made by a state of the code between two versions.
    """
    ours = sorted((name, checksum) for (package, name), checksum in applied.items() if package == OURS)
    if not any(name == "0001_queue.sql" for name, _ in ours):
        return available(packages)
    listed = "\n".join(f"{name} {checksum}" for name, checksum in ours if name != "0000_dramatiq_pg.sql")
    if hashlib.sha256(listed.encode()).hexdigest() != _OF_0_1_0:
        raise MigrationError(
            "expected the schema of version 0.1.0 or later, got one that was made in between\n"
            "  help: migrate a new database, or take everything out first with: zeke-jobs uninstall"
        )
    upgrade = files(OURS).joinpath("sql/upgrade_0_1_0.sql").read_text(encoding="utf-8")
    return [replace(one, upgrade=upgrade) if one.name == _TABLES else one for one in available(packages)]


def code() -> Migration:
    """All functions, views and triggers of zeke_jobs as one script, named by its edition."""
    folder = files(OURS).joinpath("sql/code")
    names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".sql"))
    text = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    edition = folder.joinpath(_EDITION).read_text(encoding="utf-8").split()[0]
    return Migration(OURS, f"code-{int(edition):04}", text, in_transaction=True, breaking=False)


def _dramatiq_pg() -> Migration:
    """dramatiq-pg's own table, from its own file, so that its producers and tools work unchanged."""
    from dramatiq_pg.schema import generate_init_sql

    # The schema is there by now; to ask for it again needs a right on the database, also where it exists.
    text = re.sub(r"CREATE SCHEMA [^;]*;", "", generate_init_sql("zeke_jobs", ""))
    return Migration(OURS, "0000_dramatiq_pg.sql", text, in_transaction=True, breaking=False)


def _of_folder(package: str, folder: str) -> list[Migration]:
    try:
        names = sorted(p.name for p in files(package).joinpath(folder).iterdir() if p.name.endswith(".sql"))
    except (ImportError, FileNotFoundError, NotADirectoryError, TypeError) as error:  # TypeError: a module, no package
        raise MigrationError(f"expected a package with a folder {folder}, got {package!r}: {error}") from error
    return [_read(package, folder, name) for name in names]


def _read(package: str, folder: str, name: str) -> Migration:
    if not _NAME.fullmatch(name):
        raise MigrationError(f"expected a file name such as 0001_words.sql, got {name!r} in {package}")
    text = files(package).joinpath(folder, name).read_text(encoding="utf-8")
    marks = [line for line in text.splitlines()[:3] if line.startswith("-- zeke:")]
    return Migration(
        package,
        name,
        text,
        in_transaction=not any("no-transaction" in mark for mark in marks),
        breaking=any("breaking" in mark for mark in marks),
    )


def migrate(conn: Connection, packages: Sequence[str] = ()) -> list[Migration]:
    """Apply the missing files, each in a transaction of its own, and return them.

    Other processes that migrate at the same time wait, and find it done. Works through PgBouncer too.

    Raises:
        MigrationError: an applied file was edited, or a file failed; the files before it stay applied.
        ConfigurationError: the database belongs to another installation, or is one that this code does not run on; nothing was
            applied.
    """
    installation.verify_server(conn)
    installation.verify(conn)
    with _words("the schema zeke_jobs"):
        SQL.run(conn, "migration/table")
    applied = [migration for migration in pending(conn, packages) if _apply(conn, migration)]
    installation.claim(conn)
    return applied


@contextmanager
def _lock(conn: Connection) -> Iterator[None]:
    """One migration at a time in a database, until the transaction ends. A reader of the table cannot take this lock."""
    with transaction(conn):
        SQL.run(conn, "migration/lock")
        yield


def _apply(conn: Connection, migration: Migration) -> bool:
    """Apply one file; False when another process has applied it meanwhile."""
    with _words(f"{migration.package}/{migration.name}"):
        if not migration.in_transaction:
            return _apply_outside(conn, migration)
        with _lock(conn), conn.cursor() as cursor:
            if _is_applied(conn, migration):
                return False
            before = _objects(conn, migration)
            cursor.execute(migration.upgrade or migration.text)
            _record(conn, migration, before)
    return True


@contextmanager
def _words(what: str) -> Iterator[None]:
    """Turn an error of the server into one that names the file, and the missing right."""
    try:
        yield
    except psycopg2.Error as error:
        help_ = (
            "\n  help: GRANT CREATE ON DATABASE the_database TO the_role; or make the schemas for it: "
            "CREATE SCHEMA zeke_jobs AUTHORIZATION the_role; CREATE SCHEMA pgboss AUTHORIZATION the_role"
            if error.pgcode == "42501"
            else ""
        )
        raise MigrationError(f"{what} failed: {str(error).strip()}{help_}") from error


def _apply_outside(conn: Connection, migration: Migration) -> bool:
    if is_pooled(conn):
        raise MigrationError(
            f"expected a connection to the server itself for {migration.package}/{migration.name}, which needs "
            "a session of its own, got one through a pooler; run zeke-jobs migrate with the server's own address"
        )
    # Another session holds the lock until it is closed: this one is in no transaction.
    beside: dict[str, Any] = {**conn.get_dsn_parameters(), "password": conn.info.password}
    with closing(psycopg2.connect(**beside)) as holder, conn.cursor() as cursor:
        SQL.run(holder, "migration/lock")
        if _is_applied(conn, migration):
            return False
        before = _objects(conn, migration)
        # One statement a call: several in one would be a transaction again.
        for statement in filter(str.strip, re.split(r";[ \t]*\n", migration.text)):
            cursor.execute(statement)
        _record(conn, migration, before)
    return True


def _is_applied(conn: Connection, migration: Migration) -> bool:
    return not _is_missing(migration, _applied(conn))


def _applied(conn: Connection) -> dict[tuple[str, str], str]:
    """Checksums of the files that were applied, by package and name."""
    return {(row["package"], row["name"]): row["checksum"] for row in SQL.all(conn, "migration/list")}


def _is_missing(migration: Migration, applied: Mapping[tuple[str, str], str]) -> bool:
    """Whether a file is to be applied: a frozen one once, the code when its edition is new or was changed.

    Raises:
        MigrationError: a frozen file was edited since it was applied.
    """
    checksum = applied.get((migration.package, migration.name))
    if _CODE.fullmatch(migration.name):
        editions = [name for package, name in applied if package == OURS and _CODE.fullmatch(name)]
        newest = max(editions, default="")
        return newest < migration.name or (newest == migration.name and checksum != migration.checksum)
    if checksum is not None and checksum != migration.checksum and migration.name != "0000_dramatiq_pg.sql":
        raise MigrationError(
            f"{migration.package}/{migration.name} was edited after it was applied (checksum differs); "
            "put the file back and add a new migration"
        )
    return checksum is None


def _objects(conn: Connection, migration: Migration) -> set[str]:
    """The objects outside of our schema; none for our own files, because an uninstall drops the schema as a whole."""
    if migration.package == OURS:
        return set()
    return {row["object"] for row in SQL.all(conn, "migration/objects")}


def _record(conn: Connection, migration: Migration, before: set[str]) -> None:
    SQL.run(
        conn,
        "migration/record",
        package=migration.package,
        name=migration.name,
        checksum=migration.checksum,
        breaking=migration.breaking,
        made=sorted(_objects(conn, migration) - before),
    )


def pending(conn: Connection, packages: Sequence[str] = ()) -> list[Migration]:
    """The files that ``migrate`` would apply.

    Raises:
        MigrationError: an applied file was edited since.
    """
    if SQL.one(conn, "migration/table_exists") is None:
        return available(packages)
    applied = _applied(conn)
    return [migration for migration in _from_where_it_is(packages, applied) if _is_missing(migration, applied)]


def verify(conn: Connection, packages: Sequence[str] = ()) -> None:
    """Refuse to go on with a database that is behind this code, or ahead of it past a breaking migration.

    Raises:
        MigrationError: with the command to run.
        ConfigurationError: the server or the database is one that this code does not run on.
    """
    installation.verify_server(conn)
    if todo := pending(conn, packages):
        names = ", ".join(f"{m.package}/{m.name}" for m in todo)
        others = ", ".join(dict.fromkeys(m.package for m in todo if m.package != OURS))
        where = f", in a folder whose jobs.yaml has the line migrations: [{others}]" if others else ""
        raise MigrationError(f"the database is behind this code: {names} not applied; run: zeke-jobs migrate{where}")
    known = {(m.package, m.name) for m in available(packages)}
    ahead = [
        row
        for row in SQL.all(conn, "migration/list")
        if row["breaking"] and row["package"] in {OURS, *packages} and (row["package"], row["name"]) not in known
    ]
    if ahead:
        names = ", ".join(f"{row['package']}/{row['name']}" for row in ahead)
        raise MigrationError(
            f"the database is ahead of this code past a breaking migration: {names}; upgrade this process"
        )
