"""Tests use one migrated database, one after another; each test's changes are removed before the next test.

To create a database and run its first statements takes 0.1 s of CPU; to recycle one takes 0.01 s. A database
is discarded if a test has changed its schema or settings.
"""

import time
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection

from tests.fleet import query
from zeke_jobs.client import drivers
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.session import Session, renew

#: Migrations write rows of these tables. A database is discarded if a test has changed one of them.
SEEDED = ("zeke_jobs.migration", "zeke_jobs.installation", "zeke_jobs.retention")
#: The tables with changed rows or new statistics, and whether few rows must be removed.
_CHANGED = """
SELECT n.nspname || '.' || c.relname,
  pg_table_size(c.oid) <= 65536 AND pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid) = 0
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relisshared AND n.nspname NOT IN ('information_schema', 'pg_toast')
  AND pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
    + pg_stat_get_vacuum_count(c.oid) + pg_stat_get_analyze_count(c.oid)
    + pg_stat_get_autovacuum_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid) > 0
"""
#: Other sessions see a session's counters only after a flush.
_FLUSH = "SELECT pg_stat_force_next_flush()"
#: Replacing a function writes to pg_proc and pg_depend. Many tests replace the clock, which is restored afterwards.
_OF_FUNCTIONS = {"pg_catalog.pg_proc", "pg_catalog.pg_depend"}
_CLOCK = "SELECT pg_get_functiondef('zeke_jobs.now()'::regprocedure)"
#: The number of functions, and whether this or a later transaction wrote a function other than the clock.
_FUNCTIONS = """
SELECT count(*), coalesce(bool_or(xmin::text::bigint >= {since} AND oid <> 'zeke_jobs.now()'::regprocedure), false) FROM pg_proc
"""
_RESET = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL"
#: Whether the shared catalogues have rights, settings or an owner of this database.
_OWN = """
SELECT datdba <> 10 OR datistemplate OR NOT datallowconn OR datconnlimit <> -1 OR datacl IS NOT NULL
  OR EXISTS (SELECT FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid)
FROM pg_database AS d WHERE datname = current_database()
"""


class Recycled:
    fresh: tuple[str, int] | None = None  # the definition of the clock and the number of functions in a new database

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self._conn: Connection | None = None
        # A change of session_replication_role discards a session's plans, so cleaning has its own connection.
        self._cleaner = connect(url)
        self._since = self._ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0]
        if Recycled.fresh is None:
            Recycled.fresh = self._ask(_CLOCK)[0][0], self._ask(_FUNCTIONS.format(since=0))[0][0]

    def connection(self) -> Connection:
        if self._conn is None or self._conn.closed:
            self._conn = connect(self.url)
        return self._conn

    def clean(self, server: Connection) -> bool:
        """Remove a test's data, and say whether the database is clean; ``server`` is connected to another database."""
        try:
            _renew(self._conn)
            kept = [conn for conn in (self._conn, *self._of_the_client()) if conn is not None and not conn.closed]
            end_sessions(server, self.name, but=[conn.info.backend_pid for conn in (self._cleaner, *kept)])
            for conn in kept:
                query(conn, _FLUSH)
            changed = dict(self._ask(_CHANGED))
            schema = {name for name in changed if name.startswith("pg_catalog.")}
            if not self._as_before(schema) or changed.keys() & {*SEEDED} or self._ask(_OWN) != [(False,)]:
                return False
            removal = "; ".join(
                # For a few rows, TRUNCATE takes thirty times as long as DELETE: it makes new files and invalidates plans.
                f"DELETE FROM {table}" if changed[table] else f"TRUNCATE {table} CASCADE"
                for table in changed.keys() - schema
            )
            # Sequences are reset even if no table has changed, because a rolled-back transaction also advances them.
            self._ask(f"SET session_replication_role = replica; {removal}; RESET session_replication_role")
            self._ask(f"{_RESET}; {_FLUSH}")
            if changed:
                self._ask("SELECT pg_stat_reset()")
        except psycopg2.Error:  # A test may have broken the database, or revoked rights.
            return False
        return True

    def _as_before(self, schema: set[str]) -> bool:
        """Say whether a test left the schema unchanged; ``schema`` names the system catalogues to which it wrote."""
        if not schema:
            return True
        if schema - _OF_FUNCTIONS or Recycled.fresh is None:
            return False
        clock, functions = Recycled.fresh
        self._ask(clock)
        return self._ask(_FUNCTIONS.format(since=self._since)) == [(functions, False)]

    def _of_the_client(self) -> list[Connection]:
        """Reset this process's client connections for the next test and return them; a new one would take 10 ms."""
        if drivers._own is None or (pool := drivers._own[1]).url != self.url:
            return []
        pool.trim(keep=1, older_than=0.0)
        kept = [conn for _, conn in pool._idle]
        for conn in kept:
            _renew(conn)
        return kept

    def _ask(self, statement: str) -> list[Any]:
        return query(self._cleaner, statement)


def _renew(conn: Connection | None) -> None:
    """Reset a session for the next test, or close it."""
    if conn is None or conn.closed:
        return
    if not isinstance(conn, Session) or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
        conn.close()
        return
    conn.notifies.clear()
    conn.notices = []
    renew(conn)


def end_sessions(server: Connection, database: str, but: Sequence[int] = ()) -> None:
    """End a database's other sessions, and wait for their end here: DROP DATABASE would check only every 0.1 s."""
    others = "FROM pg_stat_activity WHERE datname = %s AND pid <> ALL (%s::integer[])"
    with server.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {others}", (database, list(but)))
        end = time.monotonic() + 1.0
        while cursor.rowcount and time.monotonic() < end:
            time.sleep(0.002)
            cursor.execute(f"SELECT {others}", (database, list(but)))
