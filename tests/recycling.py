"""A migrated database that tests use one after another, with one connection: what a test wrote is removed.

A new database with the first statements in it takes a tenth of a second of a processor, a recycled one a hundredth.
One whose schema or settings a test has changed is not used again.
"""

import time
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection

from tests.fleet import query
from zeke_jobs.client import drivers
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.session import Session, renew

#: Tables whose rows migrations write. A database in which a test has changed them is not used again.
SEEDED = ("zeke_jobs.migration", "zeke_jobs.installation", "zeke_jobs.retention")
#: The tables whose rows were inserted, updated or deleted, or whose statistics were made, and whether a few rows at most have to be removed.
#: Those of the catalogue are changes of the schema.
_CHANGED = """
SELECT n.nspname || '.' || c.relname,
  pg_table_size(c.oid) <= 65536 AND pg_stat_get_vacuum_count(c.oid) + pg_stat_get_autovacuum_count(c.oid) = 0
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relisshared AND n.nspname NOT IN ('information_schema', 'pg_toast')
  AND pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid)
    + pg_stat_get_vacuum_count(c.oid) + pg_stat_get_analyze_count(c.oid)
    + pg_stat_get_autovacuum_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid) > 0
"""
#: Other sessions see a session's counters only after such a flush.
_FLUSH = "SELECT pg_stat_force_next_flush()"
#: The catalogues in which a function that is replaced is written. Many tests replace the clock, which is put back.
_OF_FUNCTIONS = {"pg_catalog.pg_proc", "pg_catalog.pg_depend"}
_CLOCK = "SELECT pg_get_functiondef('zeke_jobs.now()'::regprocedure)"
#: The number of functions, and whether this transaction or a later one wrote a function other than the clock.
_FUNCTIONS = """
SELECT count(*), coalesce(bool_or(xmin::text::bigint >= {since} AND oid <> 'zeke_jobs.now()'::regprocedure), false) FROM pg_proc
"""
_RESTART = (
    "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL"
)
#: Whether the database has rights, settings or an owner of its own, in catalogues that all databases share.
_OWN = """
SELECT datdba <> 10 OR datistemplate OR NOT datallowconn OR datconnlimit <> -1 OR datacl IS NOT NULL
  OR EXISTS (SELECT FROM pg_db_role_setting AS s WHERE s.setdatabase = d.oid)
FROM pg_database AS d WHERE datname = current_database()
"""


class Recycled:
    """A database, by its address and its name.

    Attributes:
        fresh: The clock's definition and the number of functions in every new one.
    """

    fresh: tuple[str, int] | None = None

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self._conn: Connection | None = None
        # Of its own, because a change of session_replication_role makes a session forget its plans.
        self._cleaner = connect(url)
        self._since = self._ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0]
        if Recycled.fresh is None:
            Recycled.fresh = self._ask(_CLOCK)[0][0], self._ask(_FUNCTIONS.format(since=0))[0][0]

    def connection(self) -> Connection:
        """The connection that tests use one after another."""
        if self._conn is None or self._conn.closed:
            self._conn = connect(self.url)
        return self._conn

    def clean(self, server: Connection) -> bool:
        """Remove what a test has left; whether another one may use it. ``server`` is a connection to another database."""
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
            written = changed.keys() - schema
            removal = "".join(f"{_removal(name, is_small=changed[name])};" for name in written)
            # Sequences also have numbers of transactions that were rolled back.
            self._ask(
                f"SET session_replication_role = replica; {removal} RESET session_replication_role; {_RESTART}; {_FLUSH}"
            )
            if changed:
                self._ask("SELECT pg_stat_reset()")
        except psycopg2.Error:  # such as one that a test has broken, or from which it took rights
            return False
        return True

    def _as_before(self, schema: set[str]) -> bool:
        """Whether the schema is the same, after these catalogues were changed."""
        if not schema:
            return True
        if schema - _OF_FUNCTIONS or Recycled.fresh is None:
            return False
        clock, functions = Recycled.fresh
        self._ask(clock)
        return self._ask(_FUNCTIONS.format(since=self._since)) == [(functions, False)]

    def _of_the_client(self) -> list[Connection]:
        """The connection of this process's own sends and queries, as if it were new: to open another takes a hundredth of a second."""
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


def _removal(table: str, *, is_small: bool) -> str:
    """TRUNCATE makes new files, for which each session plans anew: for a few rows it takes thirty times as long as DELETE."""
    return f"DELETE FROM {table}" if is_small else f"TRUNCATE {table} CASCADE"


def end_sessions(server: Connection, database: str, but: Sequence[int] = ()) -> None:
    """End the sessions of a database but these, and wait: DROP DATABASE looks only every tenth of a second whether they have ended."""
    others = "FROM pg_stat_activity WHERE datname = %s AND pid <> ALL (%s::integer[])"
    with server.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid) {others}", (database, list(but)))
        end = time.monotonic() + 1.0
        while cursor.rowcount and time.monotonic() < end:
            time.sleep(0.002)
            cursor.execute(f"SELECT {others}", (database, list(but)))
