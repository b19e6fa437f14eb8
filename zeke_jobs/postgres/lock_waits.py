"""Limits how long a change of the database waits for locks, because other sessions queue behind a waiting change."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from psycopg2 import Error
from psycopg2.errors import LockNotAvailable
from psycopg2.extensions import TransactionRollbackError, connection as Connection

from zeke_jobs.errors import Contended
from zeke_jobs.postgres.queries import SQL

_Result = TypeVar("_Result")

PATIENCE = 60.0  # seconds for all tries together; one try waits up to half a second for each lock
_CONTENDED = (LockNotAvailable, TransactionRollbackError)
_PAUSE = 0.5  # seconds between two tries, in which other sessions get their locks


def bound(conn: Connection, seconds: float = 0.5) -> None:
    """Let the statements of this transaction wait at most ``seconds`` for a lock."""
    SQL.all(conn, "migration/bound", milliseconds=round(1000 * seconds))


def patiently(conn: Connection, what: str, change: Callable[[], _Result], *, patience: float | None = None) -> _Result:
    """Repeat ``change``, a transaction that calls ``bound``, until it gets its locks, also after deadlocks.

    ``patience`` is the number of seconds for all tries, by default ``PATIENCE``; 0 means one try. After that time,
    raises Contended, and nothing has changed. The error names the session that holds the locks.
    """
    begun = time.monotonic()
    while True:
        try:
            with told(conn, what, begun):
                return change()
        except Contended:
            if time.monotonic() + _PAUSE > begun + (PATIENCE if patience is None else patience):
                raise
        time.sleep(random.uniform(_PAUSE / 2, _PAUSE))  # noqa: S311 (this number spreads load, and is no secret)


@contextmanager
def told(conn: Connection, what: str, begun: float | None = None) -> Iterator[None]:
    """Raise Contended if the block gets no lock or meets a deadlock. ``begun`` is the time when the first try began."""
    begun = time.monotonic() if begun is None else begun
    try:
        yield
    except _CONTENDED as error:
        raise Contended(_held(conn, what, error, time.monotonic() - begun)) from error


def holder(conn: Connection, error: LockNotAvailable) -> tuple[int, str] | None:
    """Return the pid and a description of the session that probably holds the lock: it has used the table longest."""
    # The server's error names the table, or the index of a locked row, but not the session that holds the lock.
    named = re.search(r'"(\w+)"|LOCK TABLE zeke_jobs[.](\w+)', error.diag.context or "")
    row = SQL.one(conn, "migration/holder", relation=named and (named[1] or named[2]))
    if row is None:
        return None
    since = "" if row["seconds"] is None else f", open for {row['seconds']:.0f} s"
    return row["pid"], f"session {row['pid']} ({row['login']}, {row['program'] or 'no name'}{since})"


def _held(conn: Connection, what: str, error: Error, seconds: float) -> str:
    got, help_ = f"got each time: {str(error).strip()}", "run it again"
    if isinstance(error, LockNotAvailable):
        got = "got none: other sessions held them, and have ended since"
        if found := holder(conn, error):
            got = f"got none: a transaction of {found[1]} has used our tables and goes on"
            help_ = f"end it, for example by SELECT pg_terminate_backend({found[0]}), and run this again"
    return f"expected {what} to get its locks within {seconds:.3g} s, {got}\n  help: {help_}"
