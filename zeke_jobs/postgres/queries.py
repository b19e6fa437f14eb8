"""Runs SQL statements by name; each is in a file of its own."""

import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

from psycopg2.errors import DuplicatePreparedStatement
from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.session import Session
from zeke_jobs.postgres.tolerant import tolerate

#: A row with its columns as attributes.
Row = SimpleNamespace
_PARAMETER = re.compile(r"%\((\w+)\)s::(\w+(?: precision)?(?:\[\])?)")


class Queries:
    """The ``.sql`` files of one package folder, e.g. ``Queries("actors.store", "sql")``.

    In a folder of areas a statement is named ``area/name``.

    A file holds one statement with named parameters, ``%(name)s``. Rows come back as dictionaries. With ``tolerant``, times and
    JSON that Python cannot read become the nearest readable value.

    Raises:
        KeyError: no file has that name.
    """

    def __init__(self, package: str, folder: str = "sql", *, tolerant: bool = False) -> None:
        self._tolerant = tolerant
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
            if self._tolerant:
                tolerate(cursor)
            cursor.execute(self.text(name), params)
            found = cursor.fetchall()
            # Dictionaries are made by hand, because the driver's own cost as much as a round trip.
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found]

    def named(self, conn: Connection, name: str, /, **params: Any) -> list[Row]:
        """As ``all``, with the columns of a row as its attributes."""
        return [Row(**row) for row in self.all(conn, name, **params)]

    def rows(self, conn: Connection, name: str, /, **params: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows as tuples, in the order of its columns: for frequent statements."""
        with conn.cursor() as cursor:
            cursor.execute(self.text(name), params)
            return cursor.fetchall()

    def repeated(self, conn: Connection, name: str, /, **params: Any) -> list[tuple[Any, ...]]:
        """Like ``rows``, for a frequent statement of our own connections: the server parses it once for each of them.

        Each parameter needs a cast, ``%(name)s::type``.
        """
        if not isinstance(conn, Session) or conn.settings is None:  # a pooler gives each transaction another session
            return self.rows(conn, name, **params)
        prepare, execute = self._prepared(name)
        with conn.cursor() as cursor:
            if name not in conn.prepared:
                with suppress(DuplicatePreparedStatement):  # an interruption came between the two lines
                    cursor.execute(prepare)
                conn.prepared.add(name)
            cursor.execute(execute, params)
            return cursor.fetchall()

    def _write_prepared(self, name: str) -> tuple[str, str]:
        """PREPARE and EXECUTE of a statement."""
        text = self.text(name)
        params = list(dict.fromkeys(_PARAMETER.findall(text)))
        places = {param: f"${at}" for at, param in enumerate(params, 1)}
        prepared = _PARAMETER.sub(lambda found: places[found.groups()], text)
        types = ", ".join(kind for _, kind in params)
        given = ", ".join(f"%({param})s::{kind}" for param, kind in params)
        return f'PREPARE "{name}" ({types}) AS {prepared}', f'EXECUTE "{name}" ({given})'

    def one(self, conn: Connection, name: str, /, **params: Any) -> dict[str, Any] | None:
        """Run a statement and return its first row, or None."""
        return next(iter(self.all(conn, name, **params)), None)

    def value(self, conn: Connection, name: str, /, **params: Any) -> Any:
        """Run a statement and return the first value of its first row, or None."""
        return next(iter((self.one(conn, name, **params) or {}).values()), None)

    def run(self, conn: Connection, name: str, /, **params: Any) -> int:
        """Run a statement and return the number of affected rows."""
        with conn.cursor() as cursor:
            cursor.execute(self.text(name), params)
            return int(cursor.rowcount)


SQL = Queries("zeke_jobs", "sql/queries", tolerant=True)
