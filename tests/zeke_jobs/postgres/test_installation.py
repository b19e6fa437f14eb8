from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.sql import value
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres import installation, migrate
from zeke_jobs.postgres.pool import connect

NAME = "ZEKE_JOBS_ENVIRONMENT"
REFUSED = "expected the database of environment 'staging', got the database of 'production'"


def owner(conn: Connection) -> Any:
    return value(conn, "SELECT name FROM zeke_jobs.installation")


def give_to(conn: Connection, name: str) -> None:
    conn.cursor().execute("UPDATE zeke_jobs.installation SET name = %s", (name,))


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


def test_the_refusal_says_what_to_do(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    with pytest.raises(ConfigurationError) as caught:
        installation.verify(conn)
    command = str(caught.value).partition("to this environment: ")[2]
    conn.cursor().execute(command)
    installation.verify(conn)


@each(
    "command",
    ["send a {}", f"cancel {UUID(int=1)}", f"retry {UUID(int=1)}", "migrate", "pause schedule/a", "resume schedule/a", "schedule run a",
     "schedule backfill a --from 2026-01-01"],
)  # fmt: skip
def test_a_command_that_writes_is_refused_in_another_environment(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, cli: Cli, command: str
) -> None:
    give_to(conn, "production")
    monkeypatch.setenv(NAME, "staging")
    done = cli(*command.split())
    assert (done.status, REFUSED in done.err) == (2, True)


def test_several_that_migrate_at_once_apply_each_file_once(new_database: Callable[..., str]) -> None:
    url = new_database()

    def bring_up(_: int) -> list[str]:
        with closing(connect(url)) as conn:
            return [migration.name for migration in migrate.migrate(conn)]

    with ThreadPoolExecutor(4) as threads:
        applied = [name for names in threads.map(bring_up, range(4)) for name in names]
    assert sorted(applied) == [migration.name for migration in migrate.available()]
