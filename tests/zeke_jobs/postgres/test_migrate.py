import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import cases, each
from tests.zeke_jobs.commands import Cli, MakeTask, NewDatabase, Patch
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.errors import Contended, MigrationError
from zeke_jobs.postgres import installation, lock_waits, migrate, uninstall
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.uninstall import StillNeeded

NAME = "ZEKE_JOBS_ENVIRONMENT"
PIPELINE = "actors.store"


def test_several_that_migrate_at_once_apply_each_file_once(new_database: NewDatabase, monkeypatch: Patch) -> None:
    def bring_up(_: int) -> list[str]:
        with closing(connect(url)) as conn:
            return [migration.name for migration in migrate.migrate(conn)]

    url = new_database()
    monkeypatch.setenv(NAME, "staging")
    with closing(connect(url)) as conn:
        with pytest.raises(MigrationError, match=r"^expected a migrated database, .* \d+ .*; run: zeke-jobs migrate$"):
            migrate.verify(conn)
        with ThreadPoolExecutor(4) as threads:
            applied = [name for names in threads.map(bring_up, range(4)) for name in names]
        assert sorted(applied) == [migration.name for migration in migrate.available()]
        assert value(conn, "SELECT name FROM zeke_jobs.installation") == "staging"
        words = r"run: zeke-jobs migrate, in a folder whose jobs\.yaml has the line migrations: \[actors\.store\]$"
        with pytest.raises(MigrationError, match=words):
            migrate.verify(conn, ["actors.store"])


@each(
    "command",
    "send a {}",
    "cancel {ID}",
    "retry {ID}",
    "migrate",
    "pause schedule/a",
    "resume schedule/a",
    "schedule run a",
    "schedule backfill a --from 2026-01-01",
)
def test_no_command_writes_in_another_environment(conn: Connection, monkeypatch: Patch, cli: Cli, command: str) -> None:
    rows(conn, "UPDATE zeke_jobs.installation SET name = 'production'")
    monkeypatch.setenv(NAME, "staging")
    done = cli(*command.replace("{ID}", str(UUID(int=1))).split())
    done.says("expected the database of environment 'staging', got the database of 'production'", status=2)
    rows(conn, done.err.strip().partition("to this environment: ")[2])  # The refusal says what to do.
    installation.verify(conn)


def test_the_first_lines_of_a_packages_file_mark_it(conn: Connection, tmp_path: Path, monkeypatch: Patch) -> None:
    folder = tmp_path / "marked" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "0001_table.sql").write_text("CREATE TABLE marked (n integer);")
    # PostgreSQL refuses CREATE INDEX CONCURRENTLY inside a transaction.
    index = "CREATE INDEX CONCURRENTLY marked_n ON marked (n);\n"
    (folder / "0002_index.sql").write_text(f"-- zeke: breaking\n-- zeke: no-transaction\n{index}")
    monkeypatch.syspath_prepend(tmp_path)
    migrate.migrate(conn, ["marked"])
    recorded = "SELECT name, breaking, made FROM zeke_jobs.migration WHERE package = 'marked' ORDER BY name"
    assert rows(conn, recorded) == [
        ("0001_table.sql", False, ["table public.marked"]),
        ("0002_index.sql", True, ["index public.marked_n"]),
    ]


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


def test_code_replaces_other_code_and_no_view_or_later_edition(conn: Connection, make_task: MakeTask) -> None:
    before = rows(conn, RESULTS)
    rows(conn, OTHER_RESULTS)
    assert rows(conn, RESULTS) != before
    assert migrate.migrate(conn) == [migrate.code()]
    assert rows(conn, RESULTS) == before
    make_task("echo")
    zeke_jobs.send("echo")
    assert value(conn, "SELECT count(*) FROM public.mine") == 1
    code = migrate.code()
    for change in ("name = 'code-0000'", "checksum = 'other'"):
        conn.cursor().execute(f"UPDATE zeke_jobs.migration SET {change} WHERE name = %s", (code.name,))
        assert migrate.migrate(conn) == [code]
        migrate.verify(conn)
    conn.cursor().execute("UPDATE zeke_jobs.migration SET name = 'code-9999' WHERE name = %s", (code.name,))
    assert migrate.migrate(conn) == []
    migrate.verify(conn)


def test_a_view_of_others_on_a_function_whose_result_had_another_type_is_not_dropped(conn: Connection) -> None:
    rows(conn, OTHER_RESULTS + "CREATE VIEW public.theirs AS SELECT zeke_jobs.unfit_json('{}')")
    with pytest.raises(MigrationError, match=r"(?s)code-\d+ failed: cannot drop function .* view theirs depends on"):
        migrate.migrate(conn)
    assert rows(conn, "SELECT unfit_json FROM public.theirs") == [(1,)]


def test_a_database_that_is_ahead_is_refused_only_past_a_breaking_migration(conn: Connection) -> None:
    future = "'zeke_jobs', '9999_future.sql', 'x', false, '7.0.0'"
    rows(conn, f"INSERT INTO zeke_jobs.migration (package, name, checksum, breaking, version) VALUES ({future})")
    migrate.verify(conn)
    rows(conn, "UPDATE zeke_jobs.migration SET breaking = true WHERE name LIKE '9999%'")
    rows(conn, "DELETE FROM zeke_jobs.migration WHERE name LIKE '0001%'")  # The newer release has other files.
    for answer in (migrate.verify, migrate.migrate, migrate.pending):
        with pytest.raises(MigrationError, match=r"(?s)past a breaking .*9999_future.sql\n.* upgrade this .* 7\.0\.0$"):
            answer(conn)


def test_an_edited_migration_and_the_tables_of_an_earlier_version_are_refused_with_what_to_do(conn: Connection) -> None:
    rows(conn, "UPDATE zeke_jobs.migration SET checksum = 'other' WHERE name = '0001_jobs.sql'")
    with pytest.raises(MigrationError, match=r"0001_jobs\.sql was edited"):
        migrate.migrate(conn)
    rows(conn, "DELETE FROM zeke_jobs.migration WHERE name LIKE '000_%'")
    rows(conn, "INSERT INTO zeke_jobs.migration VALUES ('zeke_jobs', '0001_tables.sql', 'x')")
    for answer in (migrate.verify, migrate.migrate):
        with pytest.raises(MigrationError, match=r"an earlier version\n  help: .* zeke-jobs uninstall"):
            answer(conn)


@pytest.fixture
def reader(conn: Connection, database: str, make_task: MakeTask) -> Iterator[Connection]:
    """Mark the SQL code as outdated; yield a dashboard's session, whose open transaction has read the views."""
    make_task("echo")
    zeke_jobs.send("echo", {"n": 1})
    conn.cursor().execute("UPDATE zeke_jobs.migration SET checksum = 'earlier' WHERE name LIKE 'code-%'")
    with closing(connect(database, application_name="dashboard")) as reading, reading.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT count(*) FROM zeke_jobs.job, pgboss.job AS theirs, zeke_jobs.queue")
        yield reading


def test_an_open_read_stops_no_send(conn: Connection, database: str, reader: Connection, monkeypatch: Patch) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 1.2)
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
    monkeypatch.setattr(lock_waits, "PATIENCE", 0)
    with pytest.raises(Contended, match=f"session {reader.info.backend_pid} "):
        uninstall.uninstall(conn, uninstall.plan(conn))
    assert value(conn, "SELECT count(*) FROM zeke_jobs.job") == sent + 1  # Nothing was removed.
    pauses: list[float] = []

    def end_the_read(seconds: float) -> None:
        pauses.append(seconds)
        reader.cursor().execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", end_the_read)
    monkeypatch.setattr(lock_waits, "PATIENCE", 30)
    with closing(connect(database)) as other:
        assert [one.name for one in migrate.migrate(other)] == [migrate.code().name]
    assert len(pauses) == 1


def objects(conn: Connection) -> set[str]:
    """Return the database's schemas and objects, except those of PostgreSQL and its extensions."""
    made = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    within = {row["object"] for row in SQL.all(conn, "migration/objects")}
    return {f"schema {name}" for (name,) in rows(conn, made)} | within


def remove(conn: Connection, *packages: str) -> list[str]:
    return uninstall.uninstall(conn, uninstall.plan(conn, packages))


@pytest.fixture
def fresh(new_database: NewDatabase) -> Iterator[Connection]:
    with closing(connect(new_database())) as connection:
        yield connection


def test_an_uninstall_leaves_the_database_as_it_was_and_a_packages_tables_unless_it_is_named(fresh: Connection) -> None:
    with pytest.raises(MigrationError, match="nothing is to be removed"):
        uninstall.plan(fresh)
    sources = "id uuid PRIMARY KEY DEFAULT gen_random_uuid(), type text, name text, url text"
    rows(fresh, f"CREATE TABLE public.sources ({sources})")
    before = objects(fresh)
    migrate.migrate(fresh, [PIPELINE])
    assert objects(fresh) > before
    assert remove(fresh, PIPELINE) == []
    assert objects(fresh) == before
    migrate.migrate(fresh, [PIPELINE])  # A new installation must be possible.
    migrate.verify(fresh, [PIPELINE])
    rows(fresh, "CREATE TABLE pgboss.notes (id int)")
    removal = uninstall.plan(fresh)
    assert "table public.stories" in removal.left[PIPELINE]
    assert "default value for public.ai_calls.created_at" in uninstall.uninstall(fresh, removal)
    assert {"table public.stories", "table public.ai_calls", "schema pgboss", "table pgboss.notes"} < objects(fresh)
    assert "schema zeke_jobs" not in objects(fresh)


@cases(
    "foreign named",
    ("CREATE VIEW public.mine AS SELECT id FROM zeke_jobs.job", "view mine"),
    ("CREATE TABLE public.mine (state zeke_jobs.state)", "table column public.mine.state"),
    ("CREATE FUNCTION public.mine(zeke_jobs.job_status) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.mine"),
)  # fmt: skip
def test_what_others_built_on_us_is_named_and_holds_everything_up(conn: Connection, foreign: str, named: str) -> None:
    rows(conn, foreign)
    before = objects(conn)
    with pytest.raises(StillNeeded, match=f"expected nothing else to need the removed objects, got {named}"):
        remove(conn)
    assert objects(conn) == before


def test_a_real_pg_boss_is_left_alone(fresh: Connection) -> None:
    rows(fresh, "CREATE SCHEMA pgboss; CREATE TABLE pgboss.job (id uuid)")
    before = objects(fresh)
    rows(fresh, "INSERT INTO pgboss.job VALUES (gen_random_uuid())")
    migrate.migrate(fresh)
    assert "schema pgboss_compat" in objects(fresh)
    rows(fresh, "SELECT * FROM pgboss_compat.job, pgboss_compat.schedule")
    rows(fresh, "CREATE VIEW pgboss.mine AS SELECT id FROM zeke_jobs.job")
    with pytest.raises(StillNeeded, match=r"got view pgboss\.mine"):
        remove(fresh)
    rows(fresh, "DROP VIEW pgboss.mine")
    remove(fresh)
    assert objects(fresh) == before


def test_the_command_waits_until_workers_stop_and_asks_the_name(cli: Cli, conn: Connection, monkeypatch: Patch) -> None:
    monkeypatch.setattr("typer.prompt", lambda _question: "yes")
    done = cli("uninstall")
    assert (done.status, done.err) == (1, "nothing was removed\n")
    assert "schema zeke_jobs with 0 jobs, 0 of them unfinished" in done.out
    assert "stays, unless --package actors.store: public." in done.out
    migrate.verify(conn)
    worker = Jobs(conn).worker()
    with pytest.raises(StillNeeded, match=r"expected no live processes, got worker here \(1\); stop them first"):
        uninstall.plan(conn)
    SQL.run(conn, "worker/leave", worker=worker)
    name = conn.info.dbname
    monkeypatch.setattr("typer.prompt", lambda _question: name)
    done = cli("uninstall", "--package", PIPELINE)
    assert (done.status, done.out.endswith(f"removed from {name}\n")) == (0, True)
    assert objects(conn).isdisjoint({"schema zeke_jobs", "table public.stories"})
