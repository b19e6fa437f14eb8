"""Connections to Postgres: how one looks, and a pool that waits instead of failing."""

from __future__ import annotations

import re
import select
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import DatabaseError, InterfaceError, OperationalError
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, cursor
from psycopg2.extras import register_uuid

from zeke_jobs.core import environment, redaction
from zeke_jobs.core.address import libpq
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

#: What psycopg2 raises when the server or the way to it is gone.
DISCONNECTED = (OperationalError, InterfaceError)

# Classes of SQLSTATE that tell of the server's state and not of a statement: no transaction that may write, resources, operators,
# the system, faults inside. psycopg2 makes no OperationalError of the first and the last.
_OF_THE_SERVER = ("25", "53", "57", "58", "XX")
_TOO_MUCH = "54"  # the class of limits that a value exceeds; an OperationalError, and yet the value's own fault

_LOOK = 0.5  # seconds between two looks whether a connection is still worth waiting for

_KEEPALIVE: dict[str, Any] = {
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
# lose JIT only: its author may count on the rest. Through a pooler, functions and looks set what they need.
_GREETING = """
SELECT
  CASE pg_backend_pid() WHEN %(pid)s THEN (
    SELECT coalesce(json_object_agg(s.name, set_config(s.name, coalesce(w.value, s.boot_val), false)), '{}')
    FROM pg_settings AS s
    LEFT JOIN unnest(%(names)s, %(values)s) AS w (name, value) ON w.name = s.name
    WHERE s.context = 'user' AND s.setting <> coalesce(w.value, s.boot_val) AND (
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
    # The server, too, shall notice within seconds that our host is gone, and end what we had open; by default it takes hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# What DISCARD ALL does, but for one: it also throws away plans, which are then made anew.
_RESET = """
CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES; SELECT set_config(w.name, w.value, false) FROM unnest(%(names)s, %(values)s) AS w (name, value)
"""
# Under REPEATABLE READ limits would be inexact, and claims fail with serialisation errors.
_WRONG_ISOLATION = """\
expected transactions to be read committed by default where a pooler stands in between, got {isolation}
  help: ALTER ROLE the_user IN DATABASE the_database SET default_transaction_isolation TO 'read committed', \
and let the pooler reconnect"""


# What makes an address wrong, in the words of libpq, PostgreSQL and PgBouncer: without a connection psycopg2 gives no SQLSTATE.
# A name server that does not answer ("Temporary failure in name resolution") is none of it: that passes.
_WRONG_ADDRESS = {
    # Of several hosts another one may exist, and be away.
    "the name of a host that exists": "(?s)^(?!.*connection to server)"
    ".*(?:Name or service not known|No address associated with hostname|Name does not resolve)",
    "a user and a password that the server accepts": "password authentication failed|no password supplied"
    '|SASL authentication failed|role ".*" does not exist|is not permitted to log in|no pg_hba.conf entry|no such user',
    "the name of a database that exists": 'database ".*" does not exist|no such database|permission denied for database',
    "parameters that the server accepts": "^invalid |^weak sslmode|^definition of service|^could not match"
    "|server does not support SSL|certificate verify failed|root certificate file .* does not exist",
}


class AddressError(OperationalError):
    """The address names a host, user, password or database that is not there. At a start, waiting would not help."""


class Cursor(cursor):
    """Of our own connections: tells a dead server from a wrong statement.

    Where the server has said goodbye before it closed the connection (a warning, as at an immediate shutdown), libpq fails when
    it writes, and psycopg2 says DatabaseError, without a code, of a connection that it takes for alive.
    """

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 (psycopg2's own name)
        """Run a statement.

        Raises:
            psycopg2.OperationalError: the server or the way to it is gone; the connection is closed.
            psycopg2.DatabaseError: the statement failed.
        """
        try:
            super().execute(query, vars)
        except DatabaseError as error:
            if type(error) is DatabaseError and error.pgcode is None:
                self.connection.close()
                raise OperationalError(str(error)) from error
            raise


def is_away(error: BaseException) -> bool:
    """Whether the same statement may succeed later: the server is gone, writes nothing for now, or has trouble of its own."""
    state = (getattr(error, "pgcode", None) or "")[:2]
    return state in _OF_THE_SERVER or (isinstance(error, DISCONNECTED) and state != _TOO_MUCH)


def connect(url: str | None = None, *, application_name: str = "zeke-jobs") -> Connection:
    """Open a connection: autocommit, READ COMMITTED, UTC.

    A single statement is then one round trip; ``transaction`` gives more than one statement a common end.

    Raises:
        ConfigurationError: no ``url`` and no ``DATABASE_URL``, or one that is no address; or the database's default is another
            isolation level, and a pooler in between lets nobody set it for a session.
        AddressError: there is no such host, user or database, or the password is another.
        psycopg2.OperationalError: the server cannot be reached.
    """
    options = {**_KEEPALIVE, "application_name": application_name, "client_encoding": "UTF8"}
    address = libpq(url) if url else environment.database_url()
    try:
        conn: Session = psycopg2.connect(address, connection_factory=Session, cursor_factory=Cursor, **options)
    except OperationalError as error:
        raise _refused(redaction.redact(str(error).strip())) from None
    conn.autocommit = True
    # On this connection alone: the program around us may read its own UUIDs as text.
    register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
    with conn.cursor() as cursor:
        cursor.execute(
            _GREETING, {"pid": conn.info.backend_pid, "names": list(_SETTINGS), "values": list(_SETTINGS.values())}
        )
        row = cursor.fetchone()
    if row is not None and row[-1] != "read committed":
        conn.close()
        raise ConfigurationError(_WRONG_ISOLATION.format(isolation=row[-1]))
    conn.remember(row[0] if row else None)
    return conn


def _refused(reason: str) -> OperationalError:
    """Why there is no connection, in words."""
    for expected, words in _WRONG_ADDRESS.items():
        if re.search(words, reason):
            return AddressError(f"expected {expected} in {environment.DATABASE_URL}, got: {' '.join(reason.split())}")
    return OperationalError(reason)


def renew(conn: Connection) -> None:
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


def is_pooled(conn: Connection) -> bool:
    """Whether a pooler such as PgBouncer stands in between, so that two statements may be run by two sessions.

    Told by the process that answers: a pooler gives its clients numbers of its own making.
    """
    with conn.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid() <> %s", (conn.info.backend_pid,))
        row = cursor.fetchone()
    return row is not None and bool(row[0])


def can_listen(conn: Connection) -> bool:
    """Whether a LISTEN on this connection would be heard: not through a pooler, unless ``ZEKE_JOBS_LISTEN`` says otherwise."""
    wanted = environment.listen()
    return wanted == "on" or (wanted == "auto" and not is_pooled(conn))


@contextmanager
def transaction(conn: Connection) -> Iterator[Connection]:
    """BEGIN … COMMIT on an autocommit connection; ROLLBACK when the body raises."""
    with conn.cursor() as cursor:
        cursor.execute("BEGIN")
    try:
        yield conn
    except BaseException:
        if not conn.closed:
            # When the server is gone it rolls back by itself; the body's own exception is what matters.
            with suppress(*DISCONNECTED), conn.cursor() as cursor:
                cursor.execute("ROLLBACK")
        raise
    with conn.cursor() as cursor:
        cursor.execute("COMMIT")


def _has_news(conn: Connection) -> bool:
    """Whether an idle connection has something to read: as a rule the goodbye of a server that went, or its end."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Pool:
    """At most ``max_size`` connections; who comes later waits (psycopg2's own pool raises at once, which loses jobs).

    Connections are opened when needed. ``trim`` closes those that nobody used for a while.
    """

    def __init__(self, url: str | None = None, *, max_size: int = 4, application_name: str = "zeke-jobs") -> None:
        self.url = url
        self.max_size = max_size
        self.application_name = application_name
        self._idle: list[tuple[float, Connection]] = []
        self._slots = threading.BoundedSemaphore(max_size)
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """An autocommit connection for the length of the block. A broken one is thrown away afterwards.

        Raises:
            psycopg2.OperationalError: the server cannot be reached; or all are out, and the pool was closed.
        """
        self._wait()
        try:
            conn = self._take()
            try:
                yield conn
            finally:
                self._give_back(conn)
        finally:
            self._slots.release()

    def _wait(self) -> None:
        while not self._slots.acquire(timeout=_LOOK):
            if self._closed:
                raise OperationalError("expected a free connection, got none before the process stopped")

    def _take(self) -> Connection:
        with self._lock:
            while self._idle:
                _, conn = self._idle.pop()
                if not conn.closed and not _has_news(conn):
                    return conn
                conn.close()
        return connect(self.url, application_name=self.application_name)

    def _give_back(self, conn: Connection) -> None:
        if conn.closed:
            return
        # An interrupted block may have left a transaction or a half-read result behind.
        if conn.info.transaction_status != TRANSACTION_STATUS_IDLE or self._closed:
            conn.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), conn))

    def trim(self, *, keep: int = 0, older_than: float = 10.0) -> None:
        """Close connections that were idle for ``older_than`` seconds, but keep the ``keep`` most recent."""
        limit = time.monotonic() - older_than
        with self._lock:
            surplus = max(0, len(self._idle) - keep)
            old = [conn for since, conn in self._idle[:surplus] if since < limit]
            self._idle = [(since, conn) for since, conn in self._idle if not any(conn is o for o in old)]
        for conn in old:
            conn.close()

    def resize(self, max_size: int) -> None:
        """Allow another number of connections. Only before the pool is in use."""
        self.max_size = max_size
        self._slots = threading.BoundedSemaphore(max_size)

    def drop_idle(self) -> None:
        """Close all idle connections, as after a disconnection, when the others are probably dead too."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, conn in idle:
            conn.close()

    def close(self) -> None:
        """Close all idle connections, and those in use when they come back."""
        self._closed = True
        self.drop_idle()

    # What dramatiq_pg's own code asks of a pool (its result backend and its command line).
    def getconn(self, *_: Any) -> Connection:
        """Take a connection out; ``putconn`` must follow."""
        self._wait()
        try:
            return self._take()
        except BaseException:
            self._slots.release()
            raise

    def putconn(self, conn: Connection, *_: Any, **__: Any) -> None:
        """Give a connection back."""
        self._give_back(conn)
        self._slots.release()

    @property
    def minconn(self) -> int:
        """How many connections dramatiq_pg may test after a disconnection."""
        return self.max_size
