"""Connections to Postgres: how one is opened, transactions, and a pool that waits instead of failing."""

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
from zeke_jobs.postgres.session import KEEPALIVE, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

#: What psycopg2 raises when the server or the way to it is gone.
DISCONNECTED = (OperationalError, InterfaceError)

# Classes of SQLSTATE about the server and not a statement: read-only transaction, resources, operators, system, internal errors.
# psycopg2 makes no OperationalError of the first and the last.
_OF_THE_SERVER = ("25", "53", "57", "58", "XX")
_TOO_MUCH = "54"  # the class of limits that a value exceeds; an OperationalError, and yet the value's own fault

_SAVEPOINT = ("SAVEPOINT zeke_jobs", "ROLLBACK TO SAVEPOINT zeke_jobs", "RELEASE SAVEPOINT zeke_jobs")
_LOOK = 0.5  # seconds between two looks whether a connection is still worth waiting for

# Errors that mean a wrong address, in the words of libpq, PostgreSQL and PgBouncer: without a connection there is no SQLSTATE.
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


def connect(
    url: str | None = None, *, application_name: str = "zeke-jobs", opening: set[Session] | None = None
) -> Connection:
    """Open a connection: autocommit, READ COMMITTED, UTC.

    A single statement is then one round trip; ``transaction`` gives more than one statement a common end.

    Args:
        url: The server's address.
        application_name: As the server shows it.
        opening: Holds the connection while its settings are made, so that another thread can cut it.

    Raises:
        ConfigurationError: no ``url`` and no ``DATABASE_URL``, or one that is no address; or the database's default is another
            isolation level, and a pooler in between lets nobody set it for a session.
        AddressError: there is no such host, user or database, or the password is another.
        psycopg2.OperationalError: the server cannot be reached.
    """
    options = {**KEEPALIVE, "application_name": application_name, "client_encoding": "UTF8"}
    address = libpq(url) if url else environment.database_url()
    try:
        conn: Session = psycopg2.connect(address, connection_factory=Session, cursor_factory=Cursor, **options)
    except OperationalError as error:
        raise _refused(redaction.redact(str(error).strip())) from None
    conn.autocommit = True
    # On this connection alone: the program around us may read its own UUIDs as text.
    register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
    opening = set() if opening is None else opening
    opening.add(conn)
    try:
        conn.greet()
    finally:
        opening.discard(conn)
    return conn


def _refused(reason: str) -> OperationalError:
    """Why there is no connection, in words."""
    for expected, words in _WRONG_ADDRESS.items():
        if re.search(words, reason):
            return AddressError(f"expected {expected} in {environment.DATABASE_URL}, got: {' '.join(reason.split())}")
    return OperationalError(reason)


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
    """BEGIN … COMMIT on an autocommit connection; ROLLBACK when the body raises. Inside a transaction, a savepoint."""
    is_inside = conn.info.transaction_status != TRANSACTION_STATUS_IDLE
    begin, back, end = _SAVEPOINT if is_inside else ("BEGIN", "ROLLBACK", "COMMIT")
    with conn.cursor() as cursor:
        cursor.execute(begin)
    try:
        yield conn
    except BaseException:
        if not conn.closed:
            # A server that is gone rolls back by itself; the body's own exception matters.
            with suppress(*DISCONNECTED), conn.cursor() as cursor:
                cursor.execute(back)
        raise
    with conn.cursor() as cursor:
        cursor.execute(end)


def _has_news(conn: Connection) -> bool:
    """Whether an idle connection has something to read: as a rule the server has closed it."""
    poll = select.poll()
    poll.register(conn.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Pool:
    """At most ``max_size`` connections, opened when needed; ``trim`` closes idle ones.

    A later caller waits for one. (psycopg2's own pool raises at once, which loses jobs.)
    """

    def __init__(self, url: str | None = None, *, max_size: int = 4, application_name: str = "zeke-jobs") -> None:
        self.url = url
        self.max_size = max_size
        self.application_name = application_name
        self._idle: list[tuple[float, Connection]] = []
        self._opening: set[Session] = set()
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
        return connect(self.url, application_name=self.application_name, opening=self._opening)

    def _give_back(self, conn: Connection) -> None:
        # An interrupted block may have left a transaction or a half-read result behind.
        if conn.closed or self._closed or conn.info.transaction_status != TRANSACTION_STATUS_IDLE:
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

    def cut_opening(self) -> None:
        """Cut connections that are being opened: each caller gets an OperationalError, however silent the server is."""
        for conn in list(self._opening):
            conn.cut()

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

    # The interface that dramatiq_pg's own code needs (its result backend and its command line).
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
