import re
from collections.abc import Callable
from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection

from tests.conftest import server_binaries
from tests.each import each
from tests.zeke_jobs.postgres.schema_dump import COMMAND, EDITION, FROZEN, SCHEMA, dump, edition, frozen
from tests.zeke_jobs.sql import rows, value
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect


@pytest.mark.skipif(server_binaries() is not None, reason="schema.sql is as the embedded server's version spells it")
def test_the_committed_schema_is_what_the_migrations_make(new_database: Callable[..., str]) -> None:
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


def test_the_table_of_jobs_stays_narrow(conn: Connection) -> None:
    for most, parts in (
        (30, "pg_attribute WHERE attrelid = 'zeke_jobs.queue'::regclass AND attnum > 0 AND NOT attisdropped"),
        (9, "pg_index WHERE indrelid = 'zeke_jobs.queue'::regclass AND NOT indisprimary"),
        (4, "pg_trigger WHERE tgrelid = 'zeke_jobs.queue'::regclass AND NOT tgisinternal"),
    ):
        assert value(conn, f"SELECT count(*) FROM {parts}") <= most


def test_a_claim_can_be_read_in_ten_minutes_and_keeps_nothing_in_the_session() -> None:
    code = migrate.code().text
    body = code.split("FUNCTION zeke_jobs.claim(")[1].split("$$")[1]
    assert body.count("\n") <= 120
    assert set(re.findall(r"set_config\('(\w+)", code)) <= {"search_path", "synchronous_commit"}


@each(
    "call",
    ["is_soon(q.run_at, q.mtime)", "ready_units(q.run_at, 1, 1, q.mtime)", "moved_on(q.run_at, 1, 1, 1, q.mtime)"],
)
def test_what_sends_and_claims_compute_becomes_a_part_of_their_statements(conn: Connection, call: str) -> None:
    plan = str(rows(conn, f"EXPLAIN VERBOSE SELECT zeke_jobs.{call} FROM zeke_jobs.queue AS q"))
    assert "Output" in plan
    assert call.partition("(")[0] not in plan
