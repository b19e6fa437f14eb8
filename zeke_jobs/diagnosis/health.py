"""Whether one part of the system works, for a container's health check."""

import socket
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import psycopg2

from zeke_jobs.core.wording import span
from zeke_jobs.postgres.pool import UNMIGRATED, AddressError, connect
from zeke_jobs.postgres.queries import SQL

_TIMEOUT = 10.0  # seconds
_MOST = 4 * 1024 * 1024  # bytes of an answer


@dataclass(frozen=True, slots=True)
class Health:
    """The result and its reason in a sentence."""

    is_fine: bool
    sentence: str


_bad = partial(Health, False)


def of_processes(url: str, kind: str, host: str | None = None) -> Health:
    """Whether this host has a worker (or scheduler), and each of them sends heartbeats to the database."""
    host = host or socket.gethostname()
    try:
        with closing(connect(url, application_name="zeke-jobs health")) as conn:
            row = SQL.only(conn, "health/processes", kind=kind, host=host)
    except AddressError as error:
        return _bad(str(error))
    except UNMIGRATED:
        return _bad("expected a database with the tables of zeke_jobs, got one without; run: zeke-jobs migrate")
    except psycopg2.Error as error:
        return _bad(f"the database does not answer: {str(error).strip()}")
    if not row["processes"]:
        return _bad(f"expected a {kind} on {host}, got none")
    alive = f"{row['live']} of {row['processes']} {kind} processes on {host} prove life"
    return Health(row["live"] == row["processes"], f"{alive}, the last one {span(row['silence'])} ago")


def of_address(address: str, contains: str = "") -> Health:
    """Whether an HTTP address answers with success, and its answer contains a text."""
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 (the caller's own)
            text = answer.read(_MOST).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return _bad(f"{address} does not answer: {error}")
    if contains not in text:
        return _bad(f"expected {contains!r} in the answer of {address}, got none")
    return Health(is_fine=True, sentence=f"{address} answers")
