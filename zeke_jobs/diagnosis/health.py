"""Whether one part of the system works, for health checks, and whether all work is done, for `up --until-idle`."""

import socket
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.wording import span
from zeke_jobs.postgres.pool import UNMIGRATED, AddressError, connect
from zeke_jobs.postgres.queries import SQL

_TIMEOUT = 10.0  # seconds
_MOST = 4 * 1024 * 1024  # bytes of an answer


def of_processes(url: str, kind: str, host: str | None = None) -> tuple[bool, str]:
    """Whether this host has a worker (or scheduler) and each of them sends heartbeats to the database, and the reason."""
    host = host or socket.gethostname()
    try:
        with closing(connect(url, application_name="zeke-jobs health")) as conn:
            row = SQL.only(conn, "health/processes", kind=kind, host=host)
    except AddressError as error:
        return False, str(error)
    except UNMIGRATED:
        return False, "expected a database with the tables of zeke_jobs, got one without; run: zeke-jobs migrate"
    except psycopg2.Error as error:
        return False, f"the database does not answer: {str(error).strip()}"
    if not row["processes"]:
        return False, f"expected a {kind} on {host}, got none"
    alive = f"{row['live']} of {row['processes']} {kind} processes on {host} prove life"
    return row["live"] == row["processes"], f"{alive}, the last one {span(row['silence'])} ago"


def of_address(address: str, contains: str = "") -> tuple[bool, str]:
    """Whether an HTTP address answers with success and its answer contains a text, and the reason."""
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 (the caller's own)
            text = answer.read(_MOST).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return False, f"{address} does not answer: {error}"
    if contains not in text:
        return False, f"expected {contains!r} in the answer of {address}, got none"
    return True, f"{address} answers"


_NAMED = 10  # failed jobs


def is_over(conn: Connection, queues: Sequence[str], since: datetime) -> bool:
    """Whether no job of these queues is due or active, and none waits for a retry after an attempt since then.

    Delayed, deferred and paused jobs are left for another run.
    """
    return not SQL.value(conn, "idle/left", queues=list(queues), since=since)


def failed(conn: Connection, queues: Sequence[str], since: datetime) -> list[str]:
    """A line for each job that failed for good since then, and one for those that are too many to name."""
    found = SQL.all(conn, "idle/failed", queues=list(queues), since=since, most=_NAMED)
    lines = [f"failed: {one['task']} {one['id']}: {one['type']}: {one['message']}" for one in found]
    return [*lines, f"failed: {found[0]['number'] - _NAMED} more"] if found and found[0]["number"] > _NAMED else lines
