"""Whether one part of the system works, for a container's health check."""

import socket
import urllib.request
from contextlib import closing

import psycopg2

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
