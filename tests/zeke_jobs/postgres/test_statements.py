"""Every statement file of every package: in the house's form, and accepted by the real migrated schema."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

ROOT = Path(__file__).parents[3]
#: Files that are scripts of many statements, by design.
SCRIPTS = {"migrations", "code", "schema.sql", "roles.sql", "upgrade_0_1_0.sql"}
FILES = sorted(
    path
    for package in ("zeke_jobs", "actors")
    for path in (ROOT / package).rglob("*.sql")
    if SCRIPTS.isdisjoint(path.relative_to(ROOT).parts)
)
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))

COMMENT = re.compile(r"--[^\n]*")
LITERAL = re.compile(r"\$\$.*?\$\$|'(?:[^']|'')*'", re.DOTALL)
PLACEHOLDER = re.compile(r"%(?!%)(?P<named>\(\w+\)s)?")


@pytest.fixture(scope="module")
def shared_conn(module_database: str) -> Iterator[Connection]:
    with closing(connect(module_database)) as conn:
        yield conn


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
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == {"zeke_jobs", "actors"}


@each_file
def test_the_first_line_says_what_the_statement_is_for(path: Path) -> None:
    assert re.match(r"-- \S", path.read_text())


@each_file
def test_parameters_have_names(path: Path) -> None:
    for placeholder in PLACEHOLDER.finditer(statement(path.read_text()).replace("%%", "")):
        assert placeholder["named"], f"expected %(name)s, got {placeholder.string[placeholder.start() :][:20]!r}"


@each_file
def test_no_statement_selects_whatever_columns_there_are(path: Path) -> None:
    bare = LITERAL.sub("''", statement(path.read_text()))
    assert not re.search(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|,\s*\w+\.\*", bare, re.IGNORECASE)


@each_file
def test_a_file_holds_one_statement(path: Path) -> None:
    assert ";" not in LITERAL.sub("''", statement(path.read_text()))


@each_file
def test_the_schema_has_all_that_the_statement_names(shared_conn: Connection, path: Path) -> None:
    body = statement(path.read_text())
    with shared_conn.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        # These cannot be prepared; they take no parameters either, so they are run.
        unprepared = body.startswith(("DO ", "LOCK "))
        cursor.execute(f"BEGIN; {body}; ROLLBACK" if unprepared else f"PREPARE one AS {numbered(body)}")
