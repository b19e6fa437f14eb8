"""Applies a connection's settings, restores them for the connection's next user, and cancels running statements."""

import ctypes
import os
import socket
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2 import InterfaceError, _psycopg
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection

from zeke_jobs.errors import ConfigurationError

KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds; a stalled network must not hold a thread for minutes
}

# These statements apply the session's settings, because PgBouncer refuses start-up options that it does not know. It
# keeps only the time zone and IntervalStyle for each client. Other settings would affect the pooler's other clients, so
# behind a pooler only SQL functions of zeke_jobs set them, for themselves. zeke_jobs is tested with the planner's
# defaults and without JIT. JIT and the timeout are turned off first, because JIT could make the second statement slow.
# Settings are read by name, because a scan of pg_settings takes as long as opening the session.
_GREETING = """
SELECT CASE pg_backend_pid() WHEN %(pid)s THEN set_config('jit', 'off', false) || set_config('statement_timeout', '0', false) END;
SELECT
  CASE pg_backend_pid() WHEN %(pid)s THEN (
    SELECT json_object_agg(w.name, set_config(w.name, w.value, false))
    FROM unnest(%(names)s, %(values)s) AS w (name, value)
    WHERE current_setting(w.name, true) <> w.value OR w.name IN ('jit', 'statement_timeout'))
  END,
  set_config('TimeZone', 'UTC', false), set_config('IntervalStyle', 'postgres', false),
  current_setting('default_transaction_isolation')
"""
_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "jit": "off",
    # Turn off the server's timeouts, because a claim may wait long for locks, and each job has its own timeout.
    **dict.fromkeys(("statement_timeout", "lock_timeout", "transaction_timeout"), "0"),
    **dict.fromkeys(("idle_in_transaction_session_timeout", "idle_session_timeout"), "0"),
    # The server must end this host's transactions within seconds after the host is gone. The default is hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
_SCANS = (
    "async_append", "bitmapscan", "distinct_reordering", "gathermerge", "group_by_reordering", "hashagg", "hashjoin",
    "incremental_sort", "indexonlyscan", "indexscan", "material", "memoize", "mergejoin", "nestloop", "parallel_append",
    "parallel_hash", "partition_pruning", "presorted_aggregate", "self_join_elimination", "seqscan", "sort", "tidscan",
)  # fmt: skip
# These are PostgreSQL's default planner settings, equal in all versions. A setting that the server lacks is skipped.
_PLANNER = {
    **{f"enable_{name}": "on" for name in _SCANS},
    **dict.fromkeys(("enable_partitionwise_aggregate", "enable_partitionwise_join"), "off"),
    "min_parallel_index_scan_size": "512kB",
    "min_parallel_table_scan_size": "8MB",
    "plan_cache_mode": "auto",
    "seq_page_cost": "1",
    "random_page_cost": "4",
    "cpu_tuple_cost": "0.01",
    "cpu_index_tuple_cost": "0.005",
    "cpu_operator_cost": "0.0025",
    "parallel_setup_cost": "1000",
    "parallel_tuple_cost": "0.1",
}
# This reset does the same as DISCARD ALL, but keeps cached plans and the prepared statements of zeke_jobs.
_RESET = """
CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES; {settings}
SELECT count(*) FROM pg_prepared_statements
"""
# Under REPEATABLE READ, limits of running jobs would be inexact, and claims would fail with serialisation errors.
_WRONG_ISOLATION = """\
expected transactions to be read committed by default behind a pooler, got {isolation}
  help: ALTER ROLE the_user IN DATABASE the_database SET default_transaction_isolation TO 'read committed', \
and let the pooler reconnect"""

_PATIENCE = 2.0  # seconds in which a live server accepts a cancellation
_LIBPQ = ctypes.CDLL(_psycopg.__file__)  # the libpq that psycopg2 uses
_LIBPQ.PQgetCancel.argtypes, _LIBPQ.PQgetCancel.restype = (ctypes.c_void_p,), ctypes.c_void_p
_LIBPQ.PQcancel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_LIBPQ.PQfreeCancel.argtypes, _LIBPQ.PQfreeCancel.restype = (ctypes.c_void_p,), None


class Session(connection):
    """Extends psycopg2's connection. Keeps the settings that ``greet`` applied, so that ``renew`` can restore them."""

    settings: Mapping[str, str] | None  # None behind a pooler, where clients share the sessions
    statements: dict[str, bool | None]  # the named statements that ran; True: prepared, None: not yet, False: never

    def greet(self) -> None:
        """Apply the connection's settings in one round trip."""
        is_handlers = self.info.parameter_status("application_name") == "zeke-jobs handler"
        settings = _SETTINGS if is_handlers else _SETTINGS | _PLANNER
        with self.cursor() as cursor:
            names = {"names": list(settings), "values": list(settings.values())}
            cursor.execute(_GREETING, {"pid": self.info.backend_pid, **names})
            row = cursor.fetchone()
        assert row is not None
        if row[-1] != "read committed":
            self.close()
            raise ConfigurationError(_WRONG_ISOLATION.format(isolation=row[-1]))
        self.settings, self.statements = row[0], {}
        self.made = self.face()
        self._cancellation = _LIBPQ.PQgetCancel(self.pgconn_ptr)
        # The finalizer does not run at the end of the process, because a thread may still use ``_cancellation``.
        weakref.finalize(self, _LIBPQ.PQfreeCancel, self._cancellation).atexit = False

    def prepares(self, name: str, prepare: str) -> bool:
        """Return whether a named statement is prepared. The first call returns False, the second prepares it."""
        if self.settings is None:  # a pooler gives each transaction another session
            return False
        if name not in self.statements:
            self.statements[name] = None
        elif self.statements[name] is None:
            self.statements[name] = False  # this value stays False if the next lines are interrupted
            with self.cursor() as cursor:
                cursor.execute(prepare)
            self.statements[name] = True
        return bool(self.statements[name])

    def cancel(self) -> None:
        """Cancel the statement that another thread runs on this connection. If the server does not answer, end the connection."""

        # psycopg2's own cancellation holds the GIL until the server answers, so a silent server would freeze the process.
        def ask() -> None:
            _LIBPQ.PQcancel(self._cancellation, ctypes.create_string_buffer(256), 256)

        thread = threading.Thread(target=ask, name="cancel", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        if thread.is_alive():
            self.cut()

    def cut(self) -> None:
        """End the connection. A thread that waits on the connection gets an OperationalError at once."""
        with suppress(OSError, InterfaceError), socket.socket(fileno=os.dup(self.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def face(self) -> tuple[object, ...]:
        """Return the settings that psycopg2 itself keeps for the connection. No SQL statement can restore them."""
        return self.autocommit, self.cursor_factory, self.encoding, dict(self.string_types), dict(self.binary_types)


def renew(conn: connection) -> None:
    """Restore an idle connection's settings for its next user, or close the connection. Behind a pooler, no setting is reset."""
    if conn.closed or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
        return None
    if not isinstance(conn, Session) or conn.face() != conn.made:
        return conn.close()
    if conn.settings is None:
        return None
    settings = {"TimeZone": "UTC", "IntervalStyle": "postgres", **conn.settings}
    reset = _RESET.format(settings=" ".join(f"SET {name} TO %s;" for name in settings))
    try:
        with conn.cursor() as cursor:
            cursor.execute(reset, tuple(settings.values()))
            (prepared,) = cursor.fetchone() or (0,)
            if prepared != sum(map(bool, conn.statements.values())):  # the last user prepared or discarded statements
                cursor.execute("DEALLOCATE ALL")
                conn.statements.clear()
    except BaseException as error:
        conn.close()  # the session may be only partly reset
        if not isinstance(error, psycopg2.Error):
            raise
