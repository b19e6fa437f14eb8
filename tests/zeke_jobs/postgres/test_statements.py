"""Every statement file of every package: in the house's form, and accepted by the real migrated schema."""

from __future__ import annotations

import re
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.session import Session, renew

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROOT = Path(__file__).parents[3]
#: Files that are scripts of many statements, by design.
SCRIPTS = {"migrations", "code", "schema.sql", "roles.sql"}
FILES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for package in ("zeke_jobs", "actors")
    for path in sorted((ROOT / package).rglob("*.sql"))
    if SCRIPTS.isdisjoint(path.relative_to(ROOT).parts)
}

COMMENT = re.compile(r"--[^\n]*")
LITERAL = re.compile(r"\$\$.*?\$\$|'(?:[^']|'')*'", re.DOTALL)
PLACEHOLDER = re.compile(r"%(?!%)(?P<named>\(\w+\)s)?")


def statement(text: str) -> str:
    """A file without its comments."""
    return COMMENT.sub("", text).strip()


def numbered(text: str) -> str:
    """The statement as the server would get it from a driver that binds: ``$1``, ``$2`` … for its named parameters."""
    numbers: dict[str, int] = {}

    class Numbers(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return text % Numbers()


def test_there_are_statements_of_both_packages() -> None:
    assert {Path(name).parts[0] for name in FILES} == {"zeke_jobs", "actors"}


def test_the_first_line_says_what_the_statement_is_for() -> None:
    assert [name for name, text in FILES.items() if not re.match(r"-- \S", text)] == []


def test_parameters_have_names() -> None:
    for name, text in FILES.items():
        for placeholder in PLACEHOLDER.finditer(statement(text).replace("%%", "")):
            assert placeholder["named"], (
                f"{name}: expected %(name)s at {placeholder.string[placeholder.start() :][:20]!r}"
            )


def test_no_statement_selects_whatever_columns_there_are() -> None:
    star = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|,\s*\w+\.\*", re.IGNORECASE)
    assert [name for name, text in FILES.items() if star.search(LITERAL.sub("''", statement(text)))] == []


def test_a_file_holds_one_statement() -> None:
    assert [name for name, text in FILES.items() if ";" in LITERAL.sub("''", statement(text))] == []


def test_the_schema_has_all_that_the_statement_names(conn: Connection) -> None:
    faults = {}
    with conn.cursor() as cursor:
        for name, text in FILES.items():
            body = statement(text)
            # These cannot be prepared; they take no parameters either, so they are run.
            unprepared = body.startswith(("DO ", "LOCK "))
            try:
                cursor.execute("DEALLOCATE ALL")
                cursor.execute(f"BEGIN; {body}; ROLLBACK" if unprepared else f"PREPARE one AS {numbered(body)}")
            except psycopg2.Error as error:
                faults[name] = str(error)
                cursor.execute("ROLLBACK")
    assert faults == {}


def test_a_look_is_prepared_once_for_each_session_and_not_where_sessions_are_shared(database: str) -> None:
    ours = connect(database)
    assert isinstance(ours, Session)
    look = {
        "worker": uuid.uuid4(),
        "queue": "default",
        "tasks": "{}",
        "want": 1,
        "revision": None,
        "is_empty": True,
        "free": 1,
    }
    with closing(ours):
        for _ in range(2):
            assert SQL.repeated(ours, "job/claim", **look) == []
        prepared = "SELECT array_agg(name) FROM pg_prepared_statements"
        assert value(ours, prepared) == ["job/claim"]
        renew(ours)
        assert value(ours, prepared) is None
        ours.settings = None  # as behind a pooler
        assert SQL.repeated(ours, "job/claim", **look) == []
        assert value(ours, prepared) is None


def value(conn: Connection, sql: str) -> object:
    with conn.cursor() as cursor:
        cursor.execute(sql)
        (found,) = cursor.fetchone() or (None,)
    return found
