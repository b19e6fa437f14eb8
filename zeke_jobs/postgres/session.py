"""A connection of our own: its settings, how it is made as good as new, and how another thread ends its statement."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import InterfaceError, _psycopg
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection

from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds; a stalled network must not hold a thread for minutes
}

# Settings by statement, not by start-up options: PgBouncer refuses options that it does not know. It hands the time zone on from
# session to session, and the form of intervals; nothing else, so that setting it would change some other program's transactions.
# Our statements are planned as they were tested, by the planner's own defaults and without JIT. A handler's own statements
# lose JIT only: its author may count on the rest. Through a pooler, each function makes its own settings.
# JIT and the timeout go first: where JIT compiles every statement, the second one would take longer than many a timeout allows.
_GREETING = """
SELECT CASE pg_backend_pid() WHEN %(pid)s THEN set_config('jit', 'off', false) || set_config('statement_timeout', '0', false) END;
SELECT
  CASE pg_backend_pid() WHEN %(pid)s THEN (
    SELECT coalesce(json_object_agg(s.name, set_config(s.name, coalesce(w.value, s.boot_val), false)), '{}')
    FROM pg_settings AS s
    LEFT JOIN unnest(%(names)s, %(values)s) AS w (name, value) ON w.name = s.name
    WHERE s.context = 'user' AND s.reset_val <> coalesce(w.value, s.boot_val) AND (
      w.name IS NOT NULL
      OR s.name ~ '^(enable_|min_parallel_|plan_cache_mode$)|_cost$'
        AND current_setting('application_name') <> 'zeke-jobs handler'))
  END,
  set_config('TimeZone', 'UTC', false), set_config('IntervalStyle', 'postgres', false),
  current_setting('default_transaction_isolation')
"""
_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "jit": "off",
    # A claim that waits for its turn is no statement that went astray, and a job has a timeout of its own.
    **dict.fromkeys(
        (
            "statement_timeout",
            "lock_timeout",
            "transaction_timeout",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
        ),
        "0",
    ),
    # The server, too, must notice within seconds that our host is gone, and end its transactions; the default is hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# As DISCARD ALL, which would also throw away cached plans.
_RESET = """
CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES; SELECT set_config(w.name, w.value, false) FROM unnest(%(names)s, %(values)s) AS w (name, value)
"""
# Under REPEATABLE READ limits would be inexact, and claims fail with serialisation errors.
_WRONG_ISOLATION = """\
expected transactions to be read committed by default where a pooler stands in between, got {isolation}
  help: ALTER ROLE the_user IN DATABASE the_database SET default_transaction_isolation TO 'read committed', \
and let the pooler reconnect"""

_PATIENCE = 2.0  # seconds in which a server that lives takes a cancellation
_LIBPQ = ctypes.CDLL(_psycopg.__file__)  # the one that psycopg2 uses
with suppress(AttributeError):
    _LIBPQ.PQgetCancel.argtypes, _LIBPQ.PQgetCancel.restype = (ctypes.c_void_p,), ctypes.c_void_p
    _LIBPQ.PQcancel.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    _LIBPQ.PQfreeCancel.argtypes, _LIBPQ.PQfreeCancel.restype = (ctypes.c_void_p,), None


class Session(connection):
    """A connection of our own, and how it was made.

    Attributes:
        settings: What we had to set on it beside the time zone. None where a pooler stands in between: the session behind it
            changes with each transaction, and is nobody's own.
    """

    settings: Mapping[str, str] | None

    def greet(self) -> None:
        """Make the settings of every connection of ours, in one round trip.

        Raises:
            ConfigurationError: transactions have another isolation level, and a pooler in between lets nobody set it.
        """
        settings = {"names": list(_SETTINGS), "values": list(_SETTINGS.values())}
        with self.cursor() as cursor:
            cursor.execute(_GREETING, {"pid": self.info.backend_pid, **settings})
            row = cursor.fetchone()
        assert row is not None
        if row[-1] != "read committed":
            self.close()
            raise ConfigurationError(_WRONG_ISOLATION.format(isolation=row[-1]))
        self.settings = row[0]
        self._made = self._face()
        self._cancellation = _Cancellation(self) if hasattr(_LIBPQ, "PQcancel") else super().cancel

    def is_as_made(self) -> bool:
        """Whether psycopg2's settings of it are unchanged; no statement could restore them."""
        return self._face() == self._made

    def cancel(self) -> None:
        """Cancel what another thread does on this connection. Where the server is silent, the connection is ended instead."""
        thread = threading.Thread(target=self._cancellation, name="cancel", daemon=True)
        thread.start()
        thread.join(_PATIENCE)
        if thread.is_alive():
            self.cut()

    def cut(self) -> None:
        """End the connection, whatever another thread waits for on it: that one gets an OperationalError at once."""
        with suppress(OSError, InterfaceError), socket.socket(fileno=os.dup(self.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def _face(self) -> tuple[object, ...]:
        return self.autocommit, self.cursor_factory, self.encoding, dict(self.string_types), dict(self.binary_types)


class _Cancellation:
    """libpq's own, which may be asked for whatever becomes of the connection.

    psycopg2's lets no other thread run until the server has answered: where that is silent, the whole process stands still.
    """

    def __init__(self, conn: connection) -> None:
        self._pointer = _LIBPQ.PQgetCancel(conn.pgconn_ptr)

    def __call__(self) -> None:
        said = ctypes.create_string_buffer(256)
        _LIBPQ.PQcancel(self._pointer, said, len(said))

    def __del__(self) -> None:
        _LIBPQ.PQfreeCancel(self._pointer)


def renew(conn: connection) -> None:
    """Make an idle connection as good as new for the next one who uses it, whatever was set on it; or close it.

    One round trip. Through a pooler nothing is reset: what was set there is not ours any more.
    """
    if conn.closed or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
        return
    if not isinstance(conn, Session) or not conn.is_as_made():
        conn.close()
        return
    if conn.settings is None:
        return
    names, values = zip(*{"TimeZone": "UTC", "IntervalStyle": "postgres", **conn.settings}.items(), strict=True)
    try:
        with conn.cursor() as cursor:
            cursor.execute(_RESET, {"names": list(names), "values": list(values)})
    except BaseException as error:
        conn.close()  # half of it may have been reset
        if not isinstance(error, psycopg2.Error):
            raise
