"""Runs SQL statements by the names of their files, and reads even rows with times or JSON that Python would refuse."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import psycopg2
from psycopg2.errors import FeatureNotSupported, InvalidSqlStatementName
from psycopg2.extensions import (
    PYDATETIMETZ,
    TRANSACTION_STATUS_IDLE,
    connection as Connection,
    cursor as Cursor,
    new_type,
    register_type,
)

from zeke_jobs.core.bounds import DEEPEST, EARLIEST, LATEST
from zeke_jobs.payload.json_text import is_too_deep, shown
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.session import Session

_TIMESTAMPTZ, _JSON, _JSONB = 1184, 114, 3802


def tolerate(cursor: Cursor) -> None:
    """Let a psycopg2 cursor read times and JSON that it would otherwise refuse."""
    for caster in _CASTERS:
        register_type(caster, cursor)


def value_of(text: str) -> Any:
    """Return the value of a JSON text. For unreadable JSON, return an object with the reason."""
    if is_too_deep(text):
        return {"unreadable": f"more than {DEEPEST} lists and objects inside each other"}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return {"unreadable": str(error)}


def payload_of(text: str) -> dict[str, Any]:
    """Return a payload from its JSON text, like ``value_of``. If that is not an object, return one that says so."""
    value = value_of(text)
    return value if isinstance(value, dict) else {"unreadable": f"expected an object, got {shown(value)}"}


def _moment(text: Any, cursor: Cursor) -> datetime | None:
    if text is None:
        return None
    try:
        moment: datetime = PYDATETIMETZ(text, cursor)
    except (ValueError, psycopg2.Error):
        return EARLIEST if text.endswith("BC") else LATEST
    return min(max(moment, EARLIEST), LATEST)


_CASTERS = (
    new_type((_TIMESTAMPTZ,), "TIMESTAMPTZ", _moment),
    new_type((_JSON, _JSONB), "JSON", lambda text, _: None if text is None else value_of(str(text))),
)

#: A row has its columns as attributes.
Row = SimpleNamespace
_CAST = re.compile(r"%\((\w+)\)s(::[\w.]+(?: precision)?(?:\(\d[\d, ]*\))?(?:\[\])?)")
_CANNOT_BE_PREPARED = re.compile(r"(?:\s|--[^\n]*\n)*(?:DO|LOCK)\b")


class Queries:
    """Runs the SQL files of one folder of a package, for example ``Queries("actors.store", "sql")``.

    A file ``NAME.sql`` contains one statement with named parameters, ``%(name)s``. The statement's name is ``NAME``, or
    ``FOLDER/NAME`` in a subfolder; an unknown name raises KeyError. A time before 1970-01-01 or after 9000-01-01 is
    read as that date, except by ``rows``, which reads times and JSON as psycopg2 does.

    Parsing and planning most statements takes longer than running them, so a connection of zeke_jobs prepares each
    statement at the second run. The types of parameters then come from the statement, not from the values.
    """

    def __init__(self, package: str, folder: str = "sql") -> None:
        self._package = package
        self._root = files(package).joinpath(folder)
        self.text = cache(self._read)
        self._prepared = cache(self._write_prepared)

    def _read(self, name: str) -> str:
        path = self._root.joinpath(f"{name}.sql")
        if not path.is_file():
            raise KeyError(f"no statement {name!r} in {self._root}")
        return path.read_text(encoding="utf-8")

    def all(self, conn: Connection, name: str, /, **params: Any) -> list[dict[str, Any]]:
        """Run a statement and return all its rows."""
        with conn.cursor() as cursor:
            tolerate(cursor)
            self.execute(cursor, name, params)
            found = cursor.fetchall()
            # Make the dictionaries here: psycopg2's dictionary cursor is slow, and takes as long as a round trip.
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found]

    def named(self, conn: Connection, name: str, /, **params: Any) -> list[Row]:
        """Run a statement and return its rows like ``all``, but with the columns as attributes."""
        return [Row(**row) for row in self.all(conn, name, **params)]

    def rows(self, conn: Connection, name: str, /, **params: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows as tuples, which is faster than ``all``."""
        with conn.cursor() as cursor:
            self.execute(cursor, name, params)
            return cursor.fetchall()

    def one(self, conn: Connection, name: str, /, **params: Any) -> dict[str, Any] | None:
        """Run a statement and return its first row, or None."""
        return next(iter(self.all(conn, name, **params)), None)

    def only(self, conn: Connection, name: str, /, **params: Any) -> dict[str, Any]:
        """Run a statement that always has one row, and return that row."""
        (row,) = self.all(conn, name, **params)
        return row

    def value(self, conn: Connection, name: str, /, **params: Any) -> Any:
        """Run a statement and return the first value of its first row, or None."""
        return next(iter((self.one(conn, name, **params) or {}).values()), None)

    def run(self, conn: Connection, name: str, /, **params: Any) -> int:
        """Run a statement and return the number of affected rows."""
        with conn.cursor() as cursor:
            self.execute(cursor, name, params)
            return int(cursor.rowcount)

    def execute(self, cursor: Cursor, name: str, params: Mapping[str, Any]) -> None:
        """Run a statement with a cursor of psycopg2 or psycopg 3."""
        conn, key = cursor.connection, f"{self._package} {name}"
        if isinstance(conn, Session):
            prepare, execute = self._prepared(name)
            try:
                if prepare and conn.prepares(key, prepare):
                    return cursor.execute(execute, params)
            except (FeatureNotSupported, InvalidSqlStatementName):
                # These errors occur if a migration changed the columns, or a handler discarded the session's prepared statements.
                conn.statements[key] = False
                if conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
                    raise
        return cursor.execute(self.text(name), params)

    def _write_prepared(self, name: str) -> tuple[str, str]:
        """Return the PREPARE and the EXECUTE of a statement, or two empty strings if the statement cannot be prepared."""
        text, places = self.text(name), _Places()
        if _CANNOT_BE_PREPARED.match(text):
            return "", ""
        casts, key = dict(reversed(_CAST.findall(text))), f"{self._package} {name}"
        prepare = f'PREPARE "{key}" AS {text % places}'
        given = ", ".join(f"%({param})s{casts.get(param, '')}" for param in places)
        return prepare, f'EXECUTE "{key}"' + (f" ({given})" if given else "")


class _Places(dict[str, str]):
    """Numbers the named parameters of a statement as $1, $2 …, in the order in which the statement first names them."""

    def __missing__(self, param: str) -> str:
        return self.setdefault(param, f"${len(self) + 1}")


SQL = Queries("zeke_jobs", "sql/queries")


@contextmanager
def snapshot(conn: Connection) -> Iterator[Connection]:
    """Open a read-only transaction for statements that see the same data and use indexes. ``conn`` is autocommit."""
    with transaction(conn), conn.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        SQL.all(conn, "doctor/snapshot")
        yield conn
