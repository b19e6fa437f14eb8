"""SQL files follow the style and fit the migrated schema. The committed schema is current; migrations never change."""

import re
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.conftest import server_binaries
from tests.each import each
from tests.zeke_jobs.commands import NewDatabase
from tests.zeke_jobs.postgres.schema_dump import COMMAND, EDITION, FROZEN, SCHEMA, dump, edition, frozen
from tests.zeke_jobs.sql import rows, value
from zeke_jobs.postgres import migrate
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
    return COMMENT.sub("", text).strip()


def numbered(text: str) -> str:
    """Replace the named parameters by ``$1``, ``$2`` and so on, as a driver with server-side binding does."""
    numbers: dict[str, int] = {}

    class Numbers(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return text % Numbers()


def test_a_file_is_one_statement_with_its_purpose_and_the_schema_has_all_that_it_names(conn: Connection) -> None:
    star = re.compile(r"\b(SELECT|RETURNING)\s+(\w+\.)?\*|,\s*\w+\.\*", re.IGNORECASE)
    assert {Path(name).parts[0] for name in FILES} == {"zeke_jobs", "actors"}
    for name, text in FILES.items():
        body = statement(text)
        assert re.match(r"-- \S", text), name
        assert all(one["named"] for one in PLACEHOLDER.finditer(body.replace("%%", ""))), name
        assert not star.search(LITERAL.sub("''", body)), name
        assert ";" not in LITERAL.sub("''", body), name
    faults = {}
    with conn.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', current_setting('search_path') || ', pgboss', false)")
        for name, text in FILES.items():
            body = statement(text)
            # DO and LOCK cannot be prepared, so the test runs them; they have no parameters.
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
    one = "-- All of it.\nSELECT * FROM changing WHERE 'a%%' LIKE %(like)s AND n = ANY (%(n)s::int[])"
    (tmp_path / "one.sql").write_text(one)
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


@pytest.mark.skipif(server_binaries() is not None, reason="schema.sql is as the embedded server's version spells it")
def test_the_committed_schema_is_what_the_migrations_make(new_database: NewDatabase) -> None:
    url = new_database()
    with closing(connect(url)) as conn:
        migrate.migrate(conn)
    assert SCHEMA.read_text(encoding="utf-8") == dump(url), f"schema.sql is behind the migrations; run: {COMMAND}"


def test_a_migration_is_frozen_once_it_is_committed() -> None:
    assert FROZEN.read_text(encoding="utf-8") == frozen(), f"put the file back; after a new one, run: {COMMAND}"


def test_the_edition_grows_with_each_change_of_the_code() -> None:
    number, _, checksum = EDITION.read_text(encoding="utf-8").strip().partition(" ")
    assert (number.isdecimal(), checksum) == (True, migrate.code().checksum), f"the code has changed; run: {COMMAND}"
    assert edition() == EDITION.read_text(encoding="utf-8")


def test_the_table_of_jobs_stays_narrow_and_a_claim_readable_and_without_state_in_the_session(conn: Connection) -> None:
    for most, parts in (
        (30, "pg_attribute WHERE attrelid = 'zeke_jobs.queue'::regclass AND attnum > 0 AND NOT attisdropped"),
        (9, "pg_index WHERE indrelid = 'zeke_jobs.queue'::regclass AND NOT indisprimary"),
        (4, "pg_trigger WHERE tgrelid = 'zeke_jobs.queue'::regclass AND NOT tgisinternal"),
    ):
        assert value(conn, f"SELECT count(*) FROM {parts}") <= most
    code = migrate.code().text
    assert code.split("FUNCTION zeke_jobs.claim(")[1].split("$$")[1].count("\n") <= 120
    assert set(re.findall(r"set_config\('(\w+)", code)) <= {"search_path", "synchronous_commit"}


@each(
    "call",
    ["is_soon(q.run_at, q.mtime)", "ready_units(q.run_at, 1, 1, q.mtime)", "moved_on(q.run_at, 1, 1, 1, q.mtime)"],
)
def test_what_sends_and_claims_compute_becomes_a_part_of_their_statements(conn: Connection, call: str) -> None:
    plan = str(rows(conn, f"EXPLAIN VERBOSE SELECT zeke_jobs.{call} FROM zeke_jobs.queue AS q"))
    assert "Output" in plan
    assert call.partition("(")[0] not in plan
