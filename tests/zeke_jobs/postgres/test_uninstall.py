from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.sql import rows
from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import migrate, uninstall
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.postgres.uninstall import StillNeeded

PIPELINE = "actors.store"


def objects(conn: Connection) -> set[str]:
    """Return all schemas and objects that somebody created in the database."""
    made = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
    return {f"schema {name}" for (name,) in rows(conn, made)} | {
        row["object"] for row in SQL.all(conn, "migration/objects")
    }


def remove(conn: Connection, *packages: str) -> list[str]:
    return uninstall.uninstall(conn, uninstall.plan(conn, packages))


@pytest.fixture
def fresh(new_database: Callable[..., str]) -> Iterator[Connection]:
    with closing(connect(new_database())) as connection:
        yield connection


def test_an_uninstall_leaves_the_database_as_it_was(fresh: Connection) -> None:
    with pytest.raises(MigrationError, match="nothing is to be removed"):
        uninstall.plan(fresh)
    rows(
        fresh,
        "CREATE TABLE public.sources (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), type text, name text, url text)",
    )
    before = objects(fresh)
    migrate.migrate(fresh, [PIPELINE])
    assert objects(fresh) > before
    assert remove(fresh, PIPELINE) == []
    assert objects(fresh) == before
    migrate.migrate(fresh, [PIPELINE])  # A new installation must be possible.
    migrate.verify(fresh, [PIPELINE])


def test_tables_of_a_package_stay_unless_it_is_named(fresh: Connection) -> None:
    migrate.migrate(fresh, [PIPELINE])
    rows(fresh, "INSERT INTO public.sources (type) VALUES ('rss'); CREATE TABLE pgboss.notes (id int)")
    removal = uninstall.plan(fresh)
    assert "table public.sources" in removal.left[PIPELINE]
    lost = uninstall.uninstall(fresh, removal)
    assert "default value for public.ai_calls.created_at" in lost
    assert {"table public.sources", "table public.ai_calls", "schema pgboss", "table pgboss.notes"} < objects(fresh)
    assert "schema zeke_jobs" not in objects(fresh)


@pytest.mark.parametrize(
    ("foreign", "named"),
    [
        ("CREATE VIEW public.mine AS SELECT id FROM zeke_jobs.job", "view mine"),
        ("CREATE TABLE public.mine (state zeke_jobs.state)", "table column public.mine.state"),
        ("CREATE FUNCTION public.mine(zeke_jobs.job_status) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.mine"),
    ],
    ids=["view", "column", "function"],
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


def test_the_command_waits_until_the_workers_are_stopped_and_asks_for_the_databases_name_and_a_script_for_nothing(
    cli: Cli, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.prompt", lambda _question: "yes")
    done = cli("uninstall")
    assert (done.status, done.err) == (1, "nothing was removed\n")
    migrate.verify(conn)
    assert cli("uninstall", "--yes", "--package", PIPELINE).status == 0
    assert "table public.stories" not in objects(conn)
    migrate.migrate(conn, [PIPELINE])
    worker = Jobs(conn).worker()
    with pytest.raises(StillNeeded, match=r"expected no live processes, got worker here \(1\); stop them first"):
        uninstall.plan(conn)
    SQL.run(conn, "worker/leave", worker=worker)
    name = conn.info.dbname
    monkeypatch.setattr("typer.prompt", lambda _question: name)
    done = cli("uninstall")
    assert done.status == 0
    assert "schema zeke_jobs with 0 jobs, 0 of them unfinished" in done.out
    assert "stays, unless --package actors.store: public." in done.out
    assert done.out.endswith(f"removed from {name}\n")
    assert "schema zeke_jobs" not in objects(conn)
