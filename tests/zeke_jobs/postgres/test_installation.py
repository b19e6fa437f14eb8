from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from zeke_jobs.cli import database
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.core import environment
from zeke_jobs.core.address import libpq
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

NAME = "ZEKE_JOBS_ENVIRONMENT"
REFUSED = "expected the database of environment 'staging', got that of 'production'"


def owner(conn: Connection) -> str:
    with conn.cursor() as cursor:
        cursor.execute("SELECT name FROM zeke_jobs.installation")
        row = cursor.fetchone()
    return "" if row is None else str(row[0])


def give_to(conn: Connection, name: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.installation SET name = %s", (name,))


def test_without_a_name_it_is_the_default_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert environment.installation() == "default"


@pytest.mark.parametrize("name", ["Staging", "a b", "-x", "é"])
def test_a_name_is_lower_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(NAME, name)
    with pytest.raises(ConfigurationError, match=f"expected {NAME} to be a lower-case name such as staging, got"):
        environment.installation()


def test_the_first_migration_puts_the_name_down(
    new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, "staging")
    with closing(connect(new_database())) as conn:
        migrate.migrate(conn)
        assert owner(conn) == "staging"
        migrate.migrate(conn)


def test_another_installation_may_not_migrate(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    with conn.cursor() as cursor:
        cursor.execute("DELETE FROM zeke_jobs.migration WHERE name = '0001_jobs.sql'")
    with pytest.raises(ConfigurationError, match=REFUSED):
        migrate.migrate(conn)
    assert "0001_jobs.sql" in [m.name for m in migrate.pending(conn)]


def test_the_refusal_says_what_to_do(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    with pytest.raises(ConfigurationError) as caught:
        installation.verify(conn)
    command = str(caught.value).partition("to this environment: ")[2]
    with conn.cursor() as cursor:
        cursor.execute(command)
    installation.verify(conn)


@pytest.mark.parametrize(
    "command",
    [
        ["send", "a", "{}"],
        ["cancel", "00000000-0000-0000-0000-000000000001"],
        ["retry", "00000000-0000-0000-0000-000000000001"],
        ["migrate"],
        ["schedule", "pause", "a"],
        ["schedule", "resume", "a"],
        ["schedule", "run", "a"],
        ["schedule", "backfill", "a", "--from", "2026-01-01"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_command_that_writes_is_refused_in_another_environment(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    assert run(app, "zeke-jobs", command) == 2
    assert REFUSED in capsys.readouterr().err


def test_a_command_that_reads_is_not(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    assert run(app, "zeke-jobs", ["jobs"]) == 0
    capsys.readouterr()


def test_a_database_that_was_never_migrated_belongs_to_nobody(
    new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    assert database.choose_to_write() == libpq(url)


def test_several_that_migrate_at_once_apply_each_file_once(new_database: Callable[..., str]) -> None:
    url = new_database()
    applied: list[str] = []

    def bring_up() -> None:
        with closing(connect(url)) as conn:
            barrier.wait()
            applied.extend(migration.name for migration in migrate.migrate(conn))

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=bring_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [migration.name for migration in migrate.available()]
