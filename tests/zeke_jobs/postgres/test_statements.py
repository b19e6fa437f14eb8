"""Every statement file of every package follows the style, and the migrated schema accepts the statement."""

import re
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.sql import value
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL, Queries
from zeke_jobs.postgres.session import Session, renew

ROOT = Path(__file__).parents[3]
#: The files and folders in SCRIPTS are scripts with many statements.
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
    """Remove the comments from a file."""
    return COMMENT.sub("", text).strip()


def numbered(text: str) -> str:
    """Replace the named parameters by ``$1``, ``$2`` and so on, as a driver with server-side binding does."""
    numbers: dict[str, int] = {}

    class Numbers(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return text % Numbers()


def test_a_file_is_one_statement_with_its_purpose_in_the_first_line_named_parameters_and_named_columns() -> None:
    star = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|,\s*\w+\.\*", re.IGNORECASE)
    assert {Path(name).parts[0] for name in FILES} == {"zeke_jobs", "actors"}
    for name, text in FILES.items():
        body = statement(text)
        assert re.match(r"-- \S", text), name
        assert all(one["named"] for one in PLACEHOLDER.finditer(body.replace("%%", ""))), name
        assert not star.search(LITERAL.sub("''", body)), name
        assert ";" not in LITERAL.sub("''", body), name


def test_the_schema_has_all_that_the_statement_names(conn: Connection) -> None:
    faults = {}
    with conn.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', current_setting('search_path') || ', pgboss', false)")
        for name, text in FILES.items():
            body = statement(text)
            # DO and LOCK cannot be prepared and have no parameters, so they are run.
            unprepared = body.startswith(("DO ", "LOCK "))
            try:
                cursor.execute("DEALLOCATE ALL")
                cursor.execute(f"BEGIN; {body}; ROLLBACK" if unprepared else f"PREPARE one AS {numbered(body)}")
            except psycopg2.Error as error:
                faults[name] = str(error)
                cursor.execute("ROLLBACK")
    assert faults == {}


def test_a_session_prepares_what_it_runs_again_until_a_handler_prepares_or_discards(database: str) -> None:
    def beat() -> object:
        return SQL.all(ours, "health/processes", kind="worker", host="here")

    ours = connect(database)
    assert isinstance(ours, Session)
    prepared = "SELECT array_agg(name) FROM pg_prepared_statements"
    beat()
    assert value(ours, prepared) is None
    for _ in range(2):
        beat()
    renew(ours)
    assert value(ours, prepared) == ["zeke_jobs health/processes"]
    value(ours, "DISCARD PLANS; DEALLOCATE ALL; SELECT 1")
    beat()  # The statement is sent as text.
    value(ours, "PREPARE his AS SELECT 1; SELECT 1")
    renew(ours)
    assert value(ours, prepared) is None
    for _ in range(2):
        beat()
    assert value(ours, prepared) == ["zeke_jobs health/processes"]
    ours.settings = None  # A connection through a pooler has no settings.
    value(ours, "DEALLOCATE ALL; SELECT 1")
    beat()
    assert value(ours, prepared) is None
    ours.close()


def test_a_prepared_statement_whose_columns_a_migration_changed_is_run_as_text(database: str, tmp_path: Path) -> None:
    (tmp_path / "one.sql").write_text(
        "-- All of it.\nSELECT * FROM changing WHERE 'a%%' LIKE %(like)s AND n = ANY (%(n)s::int[])"
    )
    (tmp_path / "__init__.py").write_text("")
    queries = Queries("zeke_jobs", "sql/queries")
    queries._root = tmp_path
    with closing(connect(database)) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE changing AS SELECT 1 AS n")
        for _ in range(3):
            assert queries.all(conn, "one", like="a%", n=["1"]) == [{"n": 1}]
        cursor.execute("ALTER TABLE changing ADD COLUMN m integer")
        for _ in range(2):
            assert queries.all(conn, "one", like="a%", n=["1"]) == [{"n": 1, "m": None}]
