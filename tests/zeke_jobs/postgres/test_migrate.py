from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection


def test_a_migrated_database_has_nothing_pending(conn: Connection) -> None:
    assert migrate.pending(conn) == []
    migrate.verify(conn)


def test_migrating_twice_applies_nothing_the_second_time(new_database: Callable[..., str]) -> None:
    with closing(connect(new_database())) as conn:
        first = [m.name for m in migrate.migrate(conn)]
        assert first == [m.name for m in migrate.available()]
        assert migrate.migrate(conn) == []


def test_a_database_that_is_behind_is_refused_with_the_command_to_run(
    new_database: Callable[..., str],
) -> None:
    with (
        closing(connect(new_database())) as conn,
        pytest.raises(
            MigrationError,
            match=r"^expected a migrated database, got one without \d+ migrations; run: zeke-jobs migrate$",
        ),
    ):
        migrate.verify(conn)


def test_what_a_package_lacks_is_told_with_the_line_that_brings_it(new_database: Callable[..., str]) -> None:
    with closing(connect(new_database())) as conn:
        migrate.migrate(conn)
        with pytest.raises(MigrationError) as refused:
            migrate.verify(conn, ["actors.store"])
    assert str(refused.value).endswith(
        "run: zeke-jobs migrate, in a folder whose jobs.yaml has the line migrations: [actors.store]"
    )


def test_an_edited_migration_is_refused(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.migration SET checksum = 'other' WHERE name = '0001_jobs.sql'")
    with pytest.raises(MigrationError, match=r"0001_jobs\.sql was edited"):
        migrate.migrate(conn)


def test_code_of_an_earlier_edition_or_another_text_is_replaced(conn: Connection) -> None:
    code = migrate.code()
    for change in ("name = 'code-0000'", "checksum = 'other'"):
        with conn.cursor() as cursor:
            cursor.execute(f"UPDATE zeke_jobs.migration SET {change} WHERE name = %s", (code.name,))
        assert migrate.migrate(conn) == [code]
        migrate.verify(conn)


def test_code_of_a_later_edition_is_left_alone(conn: Connection) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.migration SET name = 'code-9999' WHERE name = %s", (migrate.code().name,))
    assert migrate.migrate(conn) == []
    migrate.verify(conn)


@pytest.mark.parametrize(("breaking", "refused"), [(True, True), (False, False)])
def test_a_database_that_is_ahead_is_refused_only_past_a_breaking_migration(
    conn: Connection, breaking: bool, refused: bool
) -> None:
    with conn.cursor() as cursor:
        cursor.execute(
            "INSERT INTO zeke_jobs.migration (package, name, checksum, breaking) VALUES ('zeke_jobs', '9999_future.sql', 'x', %s)",
            (breaking,),
        )
    if refused:
        with pytest.raises(MigrationError, match=r"ahead.*9999_future"):
            migrate.verify(conn)
    else:
        migrate.verify(conn)


def test_an_unknown_package_is_named(conn: Connection) -> None:
    with pytest.raises(MigrationError, match="'no_such_package'"):
        migrate.pending(conn, ["no_such_package"])
