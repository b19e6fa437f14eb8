"""Opens connections to Postgres, groups statements in transactions, and keeps pools of connections."""

import re
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2 import DatabaseError, InterfaceError, OperationalError
from psycopg2.errors import InvalidSchemaName, UndefinedTable
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection, cursor
from psycopg2.extras import register_uuid

from zeke_jobs.core import environment, redaction
from zeke_jobs.core.environment import libpq
from zeke_jobs.postgres.session import KEEPALIVE, Session

#: psycopg2 raises these errors when the server or the network is unreachable.
DISCONNECTED = (OperationalError, InterfaceError)
UNMIGRATED = (InvalidSchemaName, UndefinedTable)  # errors of psycopg2 when the database is not migrated

# These SQLSTATE classes are faults of the server, not of a statement: read-only transaction, resources, operator
# intervention, system and internal errors. psycopg2 does not make all of them an OperationalError.
_OF_THE_SERVER = ("25", "53", "57", "58", "XX")
_TOO_MUCH = "54"  # the class of exceeded program limits: an OperationalError, but caused by a value

_SAVEPOINT = ("SAVEPOINT zeke_jobs", "ROLLBACK TO SAVEPOINT zeke_jobs", "RELEASE SAVEPOINT zeke_jobs")
_LOOK = 0.5  # seconds between checks whether to go on waiting for a connection

# libpq, PostgreSQL and PgBouncer use these messages for a wrong address; without a connection there is no SQLSTATE.
# "Temporary failure in name resolution" is left out, because it is transient.
_WRONG_ADDRESS = {
    # A message with "connection to server" does not match: the address names several hosts, and one of them exists.
    "the name of a host that exists": "(?s)^(?!.*connection to server)"
    ".*(?:Name or service not known|No address associated with hostname|Name does not resolve)",
    "the port of a PostgreSQL server": "received invalid response to|expected authentication request from server, but received",
    "a user and a password that the server accepts": "password authentication failed|no password supplied"
    '|SASL authentication failed|role ".*" does not exist|is not permitted to log in|no pg_hba.conf entry|no such user',
    "the name of a database that exists": 'database ".*" does not exist|no such database|permission denied for database',
    "parameters that the server accepts": "^invalid |^weak sslmode|^definition of service|^could not match"
    "|server does not support SSL|certificate verify failed|root certificate file .* does not exist",
}


class AddressError(OperationalError):
    """The address names a host, user or database that does not exist, or has a wrong password, so waiting would not help."""


class Cursor(cursor):
    """Runs statements, and distinguishes a dead server from a wrong statement.

    After an immediate shutdown, psycopg2 raises DatabaseError without a code, and treats the connection as open.
    """

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002 (psycopg2's own name)
        """Run a statement."""
        try:
            super().execute(query, vars)
        except DatabaseError as error:
            if type(error) is DatabaseError and error.pgcode is None:
                self.connection.close()
                raise OperationalError(str(error)) from error
            raise


def is_away(error: BaseException) -> bool:
    """Return whether the error says that the server was unreachable, read-only or faulty. A later try may succeed."""
    state = (getattr(error, "pgcode", None) or "")[:2]
    return state in _OF_THE_SERVER or (isinstance(error, DISCONNECTED) and state != _TOO_MUCH)


def connect(
    url: str | None = None, *, application_name: str = "zeke-jobs", opening: set[Session] | None = None
) -> Connection:
    """Open a connection in autocommit mode, with READ COMMITTED and time zone UTC. ``transaction`` groups statements.

    While its settings are applied, the connection is in the set ``opening``, so that another thread can end it.

    Raises:
        ConfigurationError: the address is missing or malformed, or a pooler prevents setting the isolation level.
        AddressError: the host, user or database does not exist, or the password is wrong.
        psycopg2.OperationalError: the server cannot be reached.
    """
    options = {**KEEPALIVE, "application_name": application_name, "client_encoding": "UTF8"}
    address = libpq(url) if url else environment.database_url()
    try:
        conn: Session = psycopg2.connect(address, connection_factory=Session, cursor_factory=Cursor, **options)
    except OperationalError as error:
        raise _refused(redaction.redact(str(error).strip())) from None
    conn.autocommit = True
    # Register UUIDs for this connection only, because the rest of the program may read them as text.
    register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
    opening = set() if opening is None else opening
    opening.add(conn)
    try:
        conn.greet()
    finally:
        opening.discard(conn)
    return conn


def _refused(reason: str) -> OperationalError:
    for expected, words in _WRONG_ADDRESS.items():
        if re.search(words, reason):
            return AddressError(f"expected {expected} in {environment.DATABASE_URL}, got: {' '.join(reason.split())}")
    silent = f"no answer for {KEEPALIVE['connect_timeout']} s; is it the port of a PostgreSQL server?"
    return OperationalError(reason.replace("timeout expired", silent))


def is_pooled(conn: Connection) -> bool:
    """Return whether the connection goes through a pooler such as PgBouncer, which invents process ids for its clients."""
    with conn.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone() != (conn.info.backend_pid,)


def can_listen(conn: Connection) -> bool:
    """Return whether to use LISTEN: if ``ZEKE_JOBS_LISTEN`` is ``on``, or if it is ``auto`` and there is no pooler."""
    wanted = environment.listen()
    return wanted == "on" or (wanted == "auto" and not is_pooled(conn))


@contextmanager
def transaction(conn: Connection) -> Iterator[Connection]:
    """Run the block between BEGIN and COMMIT, or in a savepoint of an open transaction. An exception rolls the block back."""
    is_inside = conn.info.transaction_status != TRANSACTION_STATUS_IDLE
    begin, back, end = _SAVEPOINT if is_inside else ("BEGIN", "ROLLBACK", "COMMIT")
    with conn.cursor() as cursor:
        cursor.execute(begin)
    try:
        yield conn
    except BaseException:
        if not conn.closed:
            # Ignore a lost connection: the server rolls back anyway, and the caller needs the exception of the block.
            with suppress(*DISCONNECTED), conn.cursor() as cursor:
                cursor.execute(back)
        raise
    with conn.cursor() as cursor:
        cursor.execute(end)


def has_news(conn: Any) -> bool:
    """Return whether an idle connection has data to read. Data usually means that the server has closed the connection."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Pool:
    """Opens and lends at most ``max_size`` connections. Callers wait for a free one, and ``trim`` closes idle ones."""

    def __init__(self, url: str | None = None, *, max_size: int = 4, application_name: str = "zeke-jobs") -> None:
        self.url = url
        self.application_name = application_name
        self._idle: list[tuple[float, Connection]] = []
        self._opening: set[Session] = set()
        self._lock = threading.Lock()
        self.resize(max_size)
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend an autocommit connection to the block. A connection that broke in the block is closed afterwards.

        Raises psycopg2.OperationalError if the server cannot be reached, or the pool was closed while the caller waited.
        """
        conn = self.take()
        try:
            yield conn
        finally:
            self.give_back(conn)

    def take(self) -> Connection:
        """Lend a connection, as the method ``connection`` does, until the caller returns it with ``give_back``."""
        while not self._places.acquire(timeout=_LOOK):
            if self._closed:
                raise OperationalError("expected a free connection, got none before the process stopped")
        try:
            with self._lock:
                while self._idle:
                    _, conn = self._idle.pop()
                    if not conn.closed and not has_news(conn):
                        return conn
                    conn.close()
            return connect(self.url, application_name=self.application_name, opening=self._opening)
        except BaseException:
            self._places.release()
            raise

    def give_back(self, conn: Connection) -> None:
        """Take back a connection that ``take`` lent."""
        try:
            # An interrupted block may have left the connection with an open transaction or unread results.
            if conn.closed or self._closed or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
                conn.close()
            else:
                with self._lock:
                    self._idle.append((time.monotonic(), conn))
        finally:
            self._places.release()

    def trim(self, *, keep: int = 0, older_than: float = 10.0) -> None:
        """Close connections that have been idle for ``older_than`` seconds, except the ``keep`` most recent."""
        limit = time.monotonic() - older_than
        with self._lock:
            surplus = self._idle[: max(0, len(self._idle) - keep)]  # the longest idle first
            number = sum(since < limit for since, _ in surplus)
            old, self._idle = self._idle[:number], self._idle[number:]
        for _, conn in old:
            conn.close()

    def resize(self, max_size: int) -> None:
        """Set the maximum number of connections. Call this method before the pool is used."""
        # Use a semaphore: with a queue, an interrupt of a waiting thread would make the pool smaller by one connection.
        self._places = threading.BoundedSemaphore(max_size)

    def cut_opening(self) -> None:
        """End connections that are being opened. Each thread that opens one gets an OperationalError at once."""
        for conn in list(self._opening):
            conn.cut()

    def drop_idle(self) -> None:
        """Close all idle connections. After a disconnection, the idle connections are probably dead too."""
        self.trim(older_than=-1.0)

    def close(self) -> None:
        """Close all idle connections now, and each lent connection when its user gives it back."""
        self._closed = True
        self.drop_idle()
