"""No test's data reaches another test's database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from tests.conftest import databases, superuser
from tests.each import cases
from tests.fleet import query
from tests.recycling import Recycled
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import set_clock


@pytest.fixture
def used(server_url: str, template: str) -> Iterator[Recycled]:
    with databases(server_url) as make:
        url = make(template)
        yield Recycled(url, urlsplit(url).path[1:])


#: A test could leave rows, numbers of sequences, the time, and the state of a session to the next test.
LEFT = """
SELECT
  (SELECT count(*) FROM zeke_jobs.queue), (SELECT count(*) FROM zeke_jobs.task), (SELECT count(*) FROM sources),
  nextval('zeke_jobs.queue_seq_seq'), zeke_jobs.now() > now() - interval '1 hour', current_setting('lock_timeout'),
  current_setting('TimeZone'), (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_prepared_statements),
  (SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()),
  (SELECT reltuples FROM pg_class WHERE oid = 'zeke_jobs.queue'::regclass),
  (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
"""


def test_a_test_finds_nothing_of_the_one_that_used_its_database_before(used: Recycled, server_url: str) -> None:
    def look() -> object:
        return query(used.connection(), LEFT)

    before = look()
    assert used.clean(superuser(server_url))
    for _ in range(2):
        conn = used.connection()
        set_clock(conn, datetime(2020, 1, 1, tzinfo=UTC))
        other = connect(used.url)
        other.cursor().execute("BEGIN; LOCK TABLE zeke_jobs.wait; SELECT pg_advisory_lock(2)")
        for statement in (
            "INSERT INTO zeke_jobs.task (id, queue, definition, revision) VALUES ('t', 'default', '{}', 1)",
            "INSERT INTO sources (id, type) VALUES (gen_random_uuid(), 'rss')",
            "SELECT zeke_jobs.send('t', '{}', '{}') FROM generate_series(1, 9)",
            "SET lock_timeout = '1s'; SET TimeZone = 'Asia/Tokyo'; LISTEN a; PREPARE p AS SELECT 1",
            "SELECT pg_advisory_lock(1)",
            "VACUUM zeke_jobs.queue",
        ):
            query(conn, statement)
        assert look() != before
        assert used.clean(superuser(server_url))
        assert used.connection() is conn
        assert look() == before
        assert used.clean(superuser(server_url))


@cases(
    "change",
    "CREATE TABLE public.other ()",
    "DROP TRIGGER queue_adopt_insert ON zeke_jobs.queue",
    "ALTER TABLE zeke_jobs.queue SET (autovacuum_enabled = false)",
    "CREATE FUNCTION public.other() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "DROP FUNCTION zeke_jobs.held_back(text, text, text, timestamptz, timestamptz)",
    "CREATE OR REPLACE FUNCTION zeke_jobs.settle_units(p_ids uuid[], p_how text) RETURNS void LANGUAGE sql AS ''",
    "GRANT SELECT ON zeke_jobs.queue TO PUBLIC",
    "INSERT INTO zeke_jobs.pause (target, paused_by) VALUES ('task/a', 'b'); ANALYZE zeke_jobs.pause",
    "DELETE FROM zeke_jobs.installation",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$",
    "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO PUBLIC', current_database()); END $$",
)
def test_a_database_that_a_test_has_changed_is_not_used_again(used: Recycled, server_url: str, change: str) -> None:
    used.connection().cursor().execute(change)
    assert not used.clean(superuser(server_url))
