from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.conftest import server_binaries
from tests.zeke_jobs.postgres.schema_dump import COMMAND, EDITION, FROZEN, SCHEMA, dump, edition, frozen
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.skipif(server_binaries() is not None, reason="schema.sql is as the embedded server's version spells it")
def test_the_committed_schema_is_what_the_migrations_make(new_database: Callable[..., str]) -> None:
    url = new_database()
    with closing(connect(url)) as conn:
        migrate.migrate(conn)
    assert SCHEMA.read_text(encoding="utf-8") == dump(url), f"schema.sql is behind the migrations; run: {COMMAND}"


def test_it_shows_functions_and_comments_and_nothing_of_one_run() -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    assert "CREATE FUNCTION zeke_jobs.claim(" in text
    assert "COMMENT ON COLUMN zeke_jobs.queue.claim" in text
    assert "restrict" not in text.replace("RESTRICT", "")
    assert "Dumped" not in text


def test_a_migration_is_frozen_once_it_is_committed() -> None:
    assert FROZEN.read_text(encoding="utf-8") == frozen(), f"put the file back; after a new one, run: {COMMAND}"


def test_the_edition_grows_with_each_change_of_the_code() -> None:
    number, _, checksum = EDITION.read_text(encoding="utf-8").strip().partition(" ")
    assert (number.isdecimal(), checksum) == (True, migrate.code().checksum), f"the code has changed; run: {COMMAND}"
    assert edition() == EDITION.read_text(encoding="utf-8")
