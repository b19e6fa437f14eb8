"""Bounds how long a change of the schema waits for locks: whoever queues behind it, such as a send, waits no longer than that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from psycopg2.errors import DeadlockDetected, LockNotAvailable

from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

_Result = TypeVar("_Result")

#: Seconds for all tries together; one try waits half a second for each lock, and lets go of all that it has.
PATIENCE = 60.0
_PAUSE = 0.5  # seconds between two tries, in which others get their locks


def bound(conn: Connection) -> None:
    """Let the statements of this transaction wait half a second for a lock."""
    SQL.all(conn, "migration/bound")


def patiently(conn: Connection, what: str, change: Callable[[], _Result]) -> _Result:
    """Try a change, a transaction that calls ``bound``, until it gets its locks.

    Raises:
        MigrationError: ``what`` got none within ``PATIENCE``; the message names the session that holds them. Nothing was changed.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return change()
        except (LockNotAvailable, DeadlockDetected) as error:
            if time.monotonic() + _PAUSE > deadline:
                raise MigrationError(_held(conn, what)) from error
        time.sleep(_PAUSE)


def _held(conn: Connection, what: str) -> str:
    holder = SQL.one(conn, "migration/holder")
    expected = f"expected {what} to get its locks within {PATIENCE:.0f} s"
    if holder is None:
        return f"{expected}, got none: other sessions held them, and have ended since\n  help: run it again"
    since = "" if holder["seconds"] is None else f", open for {holder['seconds']:.0f} s"
    session = f"session {holder['pid']} ({holder['login']}, {holder['program'] or 'no name'}{since})"
    return (
        f"{expected}, got none: a transaction of {session} has read or changed our tables and goes on\n"
        f"  help: end it, for example by SELECT pg_terminate_backend({holder['pid']}), and run this again"
    )
