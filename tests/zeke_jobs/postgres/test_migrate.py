import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.sql import rows, value
from zeke_jobs.errors import Contended, MigrationError
from zeke_jobs.postgres import lock_waits, migrate, uninstall
from zeke_jobs.postgres.pool import connect


def test_a_database_that_is_behind_is_refused_with_the_command_to_run(
    new_database: Callable[..., str],
) -> None:
    words = r"^expected a migrated database, got one without \d+ migrations; run: zeke-jobs migrate$"
    with closing(connect(new_database())) as conn, pytest.raises(MigrationError, match=words):
        migrate.verify(conn)


def test_what_a_package_lacks_is_told_with_the_line_that_brings_it(new_database: Callable[..., str]) -> None:
    with closing(connect(new_database())) as conn:
        migrate.migrate(conn)
        with pytest.raises(MigrationError) as refused:
            migrate.verify(conn, ["actors.store"])
    assert str(refused.value).endswith(
        "run: zeke-jobs migrate, in a folder whose jobs.yaml has the line migrations: [actors.store]"
    )


def test_the_first_lines_of_a_packages_file_mark_it(
    conn: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "marked" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "0001_table.sql").write_text("CREATE TABLE marked (n integer);")
    # PostgreSQL refuses the statement inside a transaction.
    index = "CREATE INDEX CONCURRENTLY marked_n ON marked (n);\n"
    (folder / "0002_index.sql").write_text(f"-- zeke: breaking\n-- zeke: no-transaction\n{index}")
    monkeypatch.syspath_prepend(tmp_path)
    migrate.migrate(conn, ["marked"])
    recorded = "SELECT name, breaking, made FROM zeke_jobs.migration WHERE package = 'marked' ORDER BY name"
    assert rows(conn, recorded) == [
        ("0001_table.sql", False, ["table public.marked"]),
        ("0002_index.sql", True, ["index public.marked_n"]),
    ]


def test_an_edited_migration_is_refused(conn: Connection) -> None:
    conn.cursor().execute("UPDATE zeke_jobs.migration SET checksum = 'other' WHERE name = '0001_jobs.sql'")
    with pytest.raises(MigrationError, match=r"0001_jobs\.sql was edited"):
        migrate.migrate(conn)


def test_code_of_an_earlier_edition_or_another_text_is_replaced(conn: Connection) -> None:
    code = migrate.code()
    for change in ("name = 'code-0000'", "checksum = 'other'"):
        conn.cursor().execute(f"UPDATE zeke_jobs.migration SET {change} WHERE name = %s", (code.name,))
        assert migrate.migrate(conn) == [code]
        migrate.verify(conn)


OTHER_RESULTS = """
    UPDATE zeke_jobs.migration SET checksum = 'earlier' WHERE name LIKE 'code-%';
    DROP FUNCTION zeke_jobs.due_tasks, zeke_jobs.unfit_json(jsonb);
    CREATE FUNCTION zeke_jobs.due_tasks(
      p_queue text, p_tasks text[], p_first zeke_jobs.first_job, p_now timestamptz, OUT due zeke_jobs.first_job[], OUT ranks bigint[])
    RETURN (NULL::zeke_jobs.first_job[], NULL::bigint[]);
    CREATE FUNCTION zeke_jobs.unfit_json(p_value jsonb) RETURNS integer RETURN 1;
    CREATE VIEW public.mine AS SELECT j.id FROM zeke_jobs.job AS j;
"""
RESULTS = """
    SELECT p.oid::regprocedure::text, pg_get_function_result(p.oid), p.proallargtypes FROM pg_proc AS p
    WHERE p.pronamespace = 'zeke_jobs'::regnamespace ORDER BY 1
"""


def test_code_replaces_functions_whose_results_had_other_types_and_no_view(
    conn: Connection, make_task: Callable[..., None]
) -> None:
    before = rows(conn, RESULTS)
    rows(conn, OTHER_RESULTS)
    assert rows(conn, RESULTS) != before
    assert migrate.migrate(conn) == [migrate.code()]
    assert rows(conn, RESULTS) == before
    make_task("echo")
    zeke_jobs.send("echo")
    assert value(conn, "SELECT count(*) FROM public.mine") == 1


def test_a_view_of_others_on_a_function_whose_result_had_another_type_is_not_dropped(conn: Connection) -> None:
    rows(conn, OTHER_RESULTS + "CREATE VIEW public.theirs AS SELECT zeke_jobs.unfit_json('{}')")
    with pytest.raises(MigrationError, match=r"(?s)code-\d+ failed: cannot drop function .* view theirs depends on"):
        migrate.migrate(conn)
    assert rows(conn, "SELECT unfit_json FROM public.theirs") == [(1,)]


def test_code_of_a_later_edition_is_left_alone(conn: Connection) -> None:
    conn.cursor().execute("UPDATE zeke_jobs.migration SET name = 'code-9999' WHERE name = %s", (migrate.code().name,))
    assert migrate.migrate(conn) == []
    migrate.verify(conn)


@pytest.mark.parametrize("breaking", [True, False])
def test_a_database_that_is_ahead_is_refused_only_past_a_breaking_migration(conn: Connection, breaking: bool) -> None:
    ahead = "INSERT INTO zeke_jobs.migration (package, name, checksum, breaking, version) VALUES ('zeke_jobs', '9999_future.sql', 'x', %s, '7.0.0')"
    rows(conn, ahead, breaking)
    if not breaking:
        migrate.verify(conn)
        return
    rows(conn, "DELETE FROM zeke_jobs.migration WHERE name LIKE '0001%'")  # The newer release has other files.
    for answer in (migrate.verify, migrate.migrate, migrate.pending):
        with pytest.raises(MigrationError, match=r"(?s)past a breaking .*9999_future.sql\n.* upgrade this .* 7\.0\.0$"):
            answer(conn)


def test_the_tables_of_an_earlier_version_are_refused_with_what_to_do(conn: Connection) -> None:
    rows(conn, "DELETE FROM zeke_jobs.migration WHERE name LIKE '000_%'")
    rows(conn, "INSERT INTO zeke_jobs.migration VALUES ('zeke_jobs', '0001_tables.sql', 'x')")
    for answer in (migrate.verify, migrate.migrate):
        with pytest.raises(MigrationError, match=r"an earlier version\n  help: .* zeke-jobs uninstall"):
            answer(conn)


@pytest.fixture
def reader(conn: Connection, database: str, make_task: Callable[..., None]) -> Iterator[Connection]:
    """A dashboard has read the views in an open transaction, and the database has code of an earlier edition."""
    make_task("echo")
    zeke_jobs.send("echo", {"n": 1})
    conn.cursor().execute("UPDATE zeke_jobs.migration SET checksum = 'earlier' WHERE name LIKE 'code-%'")
    with closing(connect(database, application_name="dashboard")) as reading, reading.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT count(*) FROM zeke_jobs.job, pgboss.job AS theirs, zeke_jobs.queue")
        yield reading


def test_beside_an_open_read_sends_go_on_and_migrate_says_who_reads(
    conn: Connection, database: str, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 2.5)
    with ThreadPoolExecutor(1) as threads, closing(connect(database)) as other:
        done = threads.submit(migrate.migrate, other)
        sent = 0
        rows(conn, "SET statement_timeout = '2s'")
        while not done.done():
            rows(conn, "SELECT zeke_jobs.send('echo', '{\"n\": 1}')")
            sent += 1
        with pytest.raises(Contended, match=r"expected code-\d+\.?\w* to get its locks within [\d.]+ s") as refused:
            done.result()
    assert sent > 3
    assert f"session {reader.info.backend_pid} (postgres, dashboard, open for " in str(refused.value)
    assert f"pg_terminate_backend({reader.info.backend_pid})" in str(refused.value)


def test_migrate_goes_on_when_the_reader_has_ended(
    database: str, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    def end_the_read(seconds: float) -> None:
        pauses.append(seconds)
        reader.cursor().execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", end_the_read)
    with closing(connect(database)) as other:
        assert [one.name for one in migrate.migrate(other)] == [migrate.code().name]
    assert len(pauses) == 1


def test_beside_an_open_read_uninstall_removes_nothing_and_says_who_reads(
    conn: Connection, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 0)
    with pytest.raises(Contended, match=f"session {reader.info.backend_pid} "):
        uninstall.uninstall(conn, uninstall.plan(conn))
    assert value(conn, "SELECT count(*) FROM zeke_jobs.job") == 1
