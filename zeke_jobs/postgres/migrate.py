"""Brings a database's schema to the version that this code needs.

Numbered files change the tables; a committed file is never edited. Functions, views and triggers hold no data: each is
defined once, in ``sql/code``, and ``migrate`` replaces all of them when the number in ``sql/code/edition`` grows.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import psycopg2
from psycopg2.errors import InsufficientPrivilege, InvalidFunctionDefinition
from psycopg2.extensions import connection as Connection

from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import installation, lock_waits
from zeke_jobs.postgres.pool import is_pooled, transaction
from zeke_jobs.postgres.queries import SQL, Row

_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_DROP = re.compile(r"DROP FUNCTION .*\)")  # matches the server's hint, in any language
_CODE = re.compile(r"code-(\d{4})")
_OF_EARLIER = "0001_tables.sql"  # a file of versions before 1.0, whose jobs cannot be taken over
_DRAMATIQ_PG = "0000_dramatiq_pg.sql"
_EDITION = "edition"  # the file that counts the changes of sql/code
OURS = "zeke_jobs"
_RIGHTS = """
  help: GRANT CREATE ON DATABASE the_database TO the_role; or make the schemas for it: \
CREATE SCHEMA zeke_jobs AUTHORIZATION the_role; CREATE SCHEMA pgboss AUTHORIZATION the_role"""


@dataclass(frozen=True)
class Migration:
    """Describes a migration file by ``package`` and ``name``. ``checksum`` shows whether the file was edited later."""

    package: str
    name: str
    text: str
    in_transaction: bool = True
    breaking: bool = False

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def available(packages: Iterable[str] = ()) -> list[Migration]:
    """Return all migrations of zeke_jobs, then all of ``packages``, in the order in which they are applied.

    Raises MigrationError if a package has no folder ``migrations``, or a file is not named like ``0001_words.sql``.
    """
    from dramatiq_pg.schema import generate_init_sql

    # dramatiq-pg's tools need its table. CREATE SCHEMA is left out: it needs a privilege even if the schema exists.
    text = re.sub(r"CREATE SCHEMA [^;]*;", "", generate_init_sql("zeke_jobs", ""))
    ours = [Migration(OURS, _DRAMATIQ_PG, text), *of_package(OURS, "sql/migrations"), code()]
    return [*ours, *(one for package in packages for one in of_package(package))]


def code() -> Migration:
    """Return one script with all functions, views and triggers of zeke_jobs. Its name has the number in ``edition``."""
    edition = files(OURS).joinpath("sql/code", _EDITION).read_text(encoding="utf-8").split()[0]
    return Migration(OURS, f"code-{int(edition):04}", "\n".join(text for _, text in _texts(OURS, "sql/code")))


def of_package(package: str, folder: str = "migrations") -> list[Migration]:
    """Return the migrations of a package."""
    found = []
    for name, text in _texts(package, folder):
        if not _NAME.fullmatch(name):
            raise MigrationError(f"expected a file name such as 0001_words.sql, got {name!r} in {package}")
        marks = " ".join(line for line in text.splitlines()[:3] if line.startswith("-- zeke:"))
        found.append(Migration(package, name, text, "no-transaction" not in marks, "breaking" in marks))
    return found


def _texts(package: str, folder: str) -> list[tuple[str, str]]:
    try:
        found = [one for one in files(package).joinpath(folder).iterdir() if one.name.endswith(".sql")]
    except (ImportError, FileNotFoundError, NotADirectoryError, TypeError) as error:  # a module raises TypeError
        raise MigrationError(f"expected a package with a folder {folder}, got {package!r}: {error}") from error
    return sorted((one.name, one.read_text(encoding="utf-8")) for one in found)


def migrate(conn: Connection, packages: Sequence[str] = ()) -> list[Migration]:
    """Apply the pending migrations, and return them. Each has its own transaction, unless marked ``no-transaction``.

    Only files so marked need a connection without a pooler. Other processes that migrate wait, then have nothing to do.

    Raises:
        MigrationError: an applied file was edited, or a file failed or could not lock a table; earlier files stay applied.
        ConfigurationError: the database belongs to another installation or is not supported; nothing was applied.
    """
    installation.verify_server(conn)
    installation.verify(conn)
    with _words("the schema zeke_jobs"):
        SQL.run(conn, "migration/table")
    applied = [migration for migration in pending(conn, packages) if _apply(conn, migration)]
    installation.claim(conn)
    return applied


def _apply(conn: Connection, migration: Migration) -> bool:
    """Apply one file. Returns False if another process has already applied the file."""

    def within() -> bool:
        with transaction(conn):
            SQL.run(conn, "migration/lock")
            lock_waits.bound(conn)
            return _apply_missing(conn, migration)

    name = f"{migration.package}/{migration.name}"
    with _words(name):
        if migration.in_transaction:
            return lock_waits.patiently(conn, migration.name, within)
        if is_pooled(conn):
            raise MigrationError(
                f"expected a connection to the server itself for {name}, which needs a session of its own, "
                "got one through a pooler; run zeke-jobs migrate with the server's own address"
            )
        # A second session holds the migrations' lock, because this session runs the file outside a transaction.
        beside: dict[str, Any] = {**conn.get_dsn_parameters(), "password": conn.info.password}
        with closing(psycopg2.connect(**beside)) as holder:
            SQL.run(holder, "migration/lock")
            return _apply_missing(conn, migration)


def _apply_missing(conn: Connection, migration: Migration) -> bool:
    """Run and record a migration. The migrations' lock must be held. Returns False if it has already been applied."""

    def objects() -> set[str]:
        """Name the database's objects outside the schema zeke_jobs; none for a migration of zeke_jobs itself."""
        return {row["object"] for row in SQL.all(conn, "migration/objects")} if migration.package != OURS else set()

    if not _is_missing(migration, _applied(conn)):
        return False
    before, one_by_one = objects(), filter(str.strip, re.split(r";[ \t]*\n", migration.text))
    # Send each statement by itself, because the server runs several statements of one call in a transaction.
    for statement in [migration.text] if migration.in_transaction else one_by_one:
        if _CODE.fullmatch(migration.name):
            _replace(conn, statement)
        else:
            with conn.cursor() as cursor:
                cursor.execute(statement)
    made = {"version": version(OURS), "made": sorted(objects() - before)}
    known = {key: getattr(migration, key) for key in ("package", "name", "checksum", "breaking")}
    SQL.run(conn, "migration/record", **known, **made)
    return True


def _replace(conn: Connection, script: str) -> None:
    """Run the script that replaces all functions, views and triggers. Functions with a changed result type are dropped first.

    Nothing else is dropped. If another program's view uses a function that must be dropped, the script fails.
    """
    while True:
        try:
            with transaction(conn), conn.cursor() as cursor:
                return cursor.execute(script)
        except InvalidFunctionDefinition as error:
            drop = _DROP.search(error.diag.message_hint or "")
            if drop is None:
                raise
        with conn.cursor() as cursor:
            cursor.execute(drop[0])


@contextmanager
def _words(what: str) -> Iterator[None]:
    """Turn a database error into a MigrationError that names the file and, if a privilege is lacking, the remedy."""
    try:
        yield
    except psycopg2.Error as error:
        help_ = _RIGHTS if isinstance(error, InsufficientPrivilege) else ""
        raise MigrationError(f"{what} failed: {str(error).strip()}{help_}") from error


def _applied(conn: Connection) -> dict[tuple[str, str], Row]:
    return {(row.package, row.name): row for row in SQL.named(conn, "migration/list")}


def _is_missing(migration: Migration, applied: Mapping[tuple[str, str], Row]) -> bool:
    """Return whether to apply a migration. A file runs once. The script of ``sql/code`` runs again after a change."""
    found = applied.get((migration.package, migration.name))
    checksum = found and found.checksum
    if _CODE.fullmatch(migration.name):
        newest = max((name for package, name in applied if package == OURS and _CODE.fullmatch(name)), default="")
        return newest < migration.name or (newest == migration.name and checksum != migration.checksum)
    if checksum not in (None, migration.checksum) and migration.name != _DRAMATIQ_PG:
        raise MigrationError(
            f"{migration.package}/{migration.name} was edited after it was applied (checksum differs); "
            "put the file back and add a new migration"
        )
    return checksum is None


def pending(conn: Connection, packages: Sequence[str] = ()) -> list[Migration]:
    """Return the files that ``migrate`` would apply.

    Raises MigrationError if an applied file was edited, or the database's tables are too old or too new for this code.
    """
    files = available(packages)
    if not SQL.value(conn, "migration/table_exists", table="migration"):
        return files
    applied, known = _applied(conn), {(one.package, one.name) for one in files}
    breaking = [row for key, row in applied.items() if row.breaking and key not in known]
    if ahead := [row for row in breaking if row.package in {OURS, *packages}]:
        raise MigrationError(
            f"expected a database for zeke-jobs {version(OURS)}, got one past a breaking migration: "
            f"{', '.join(f'{row.package}/{row.name}' for row in ahead)}\n"
            f"  help: upgrade this code to zeke-jobs {ahead[-1].version or 'as new as it'}"
        )
    if (OURS, _OF_EARLIER) in applied:
        raise MigrationError(
            "expected a new database or one of zeke-jobs 1.0, got one with the tables of an earlier version\n"
            "  help: let that version finish its jobs; then zeke-jobs uninstall removes them, or name another database"
        )
    return [migration for migration in files if _is_missing(migration, applied)]


def verify(conn: Connection, packages: Sequence[str] = ()) -> None:
    """Raise MigrationError if the database's schema does not match this code. The message says what to do.

    Raises ConfigurationError if the server or the database is not supported.
    """
    installation.verify_server(conn)
    if todo := pending(conn, packages):
        others = ", ".join(dict.fromkeys(m.package for m in todo if m.package != OURS))
        where = f", in a folder whose jobs.yaml has the line migrations: [{others}]" if others else ""
        lacks = f"{todo[0].package}/{todo[0].name}" if len(todo) == 1 else f"{len(todo)} migrations"
        raise MigrationError(f"expected a migrated database, got one without {lacks}; run: zeke-jobs migrate{where}")
