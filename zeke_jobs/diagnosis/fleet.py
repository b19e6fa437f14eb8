"""Reports which processes are alive and healthy, how their code and jobs.yaml differ, and whether any job is left."""

import socket
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.config import digest_of, read_text
from zeke_jobs.core import environment
from zeke_jobs.core.wording import span
from zeke_jobs.postgres.pool import UNMIGRATED, AddressError, connect
from zeke_jobs.postgres.queries import SQL, Row
from zeke_jobs.revisions import store

_LOOK = 0.05  # seconds
_TIMEOUT = 10.0  # seconds
_MOST = 4 * 1024 * 1024  # maximum number of bytes to read of an answer
_NAMED = 10  # maximum number of failed jobs to list


def look(conn: Connection) -> Row:
    """Read the processes, the revision in force, and the queues that have tasks but no worker.

    A process's ``drift`` says how it differs from the others. A scheduler always uses the revision in force.
    """
    number, members = store.latest_number(conn), SQL.named(conn, "fleet/members")
    newest = max((one.version for one in members), default="")
    for one in members:
        one.drift = _drift(one, number, newest)
        one.revision = number if one.kind == "scheduler" else one.revision  # the last beat's revision
    return Row(revision=number, members=members, unserved=[row["queue"] for row in SQL.all(conn, "fleet/unserved")])


def unapplied(conn: Connection) -> tuple[str, int | None] | None:
    """Return how this process's jobs.yaml differs from the revision in force, or None if it does not differ.

    The second value is the number of the earlier revision that has the file's text, or None if no revision has it.
    """
    file, latest = environment.config_path(), store.latest(conn, whole=False)
    if latest is None or not file.is_file() or (digest := digest_of(read_text(file))) == latest.digest:
        return None
    older = store.number_of(conn, digest)
    what = "was changed and not applied" if older is None else f"is that of revision {older}"
    return f"{file} {what}; in force is revision {latest.number}", older


def await_follow(conn: Connection, revision: int, seconds: float) -> list[Row]:
    """Wait up to ``seconds`` until every live worker uses a revision. Returns the workers that do not use the revision."""
    end = time.monotonic() + seconds
    while True:
        workers = [one for one in look(conn).members if one.kind == "worker" and not one.silent]
        behind = [one for one in workers if one.revision < revision]
        if not behind or time.monotonic() >= end:
            return behind
        time.sleep(_LOOK)


def _drift(one: Row, number: int, newest: str) -> list[str]:
    if one.is_late:
        return ["no heartbeat: it counts as lost"]
    if one.silent:
        return ["no heartbeat: it has ended, or hangs"]
    found = []
    if one.kind == "worker" and one.revision != number:
        # Use only the first line: if the reason is a fault in jobs.yaml, the other lines quote the file.
        reason = (one.refusal or "it follows within two seconds").splitlines()[0]
        found.append(f"runs by revision {one.revision}: {reason}")
    # Compare the files and not the revisions' numbers, because a value set by hand makes a new revision of the same
    # file. Leave out a process that does not use the revision in force yet.
    elif one.file_differs and one.revision == number:
        found.append(f"its file is that of revision {one.file_revision}; it changes nothing unless applied")
    return [*found, f"version {one.version}, another runs {newest}"] if one.version != newest else found


def health_of_processes(url: str, kind: str, host: str | None = None) -> tuple[bool, str]:
    """Return whether this host has workers (or schedulers) and all of them are alive, and a sentence about it."""
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


def health_of_address(address: str, contains: str = "") -> tuple[bool, str]:
    """Return whether an HTTP address answers successfully and with a given text, and a sentence about the result."""
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT) as answer:  # noqa: S310 (the caller chose the address)
            text = answer.read(_MOST).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        return False, f"{address} does not answer: {error}"
    if contains not in text:
        return False, f"expected {contains!r} in the answer of {address}, got none"
    return True, f"{address} answers"


def is_idle(conn: Connection, queues: Sequence[str], since: datetime) -> bool:
    """Return True if no job of these queues is due, active, or claimed after ``since`` and waiting for a retry."""
    return not SQL.value(conn, "idle/left", queues=list(queues), since=since)


def failed_jobs(conn: Connection, queues: Sequence[str], since: datetime) -> list[str]:
    """Return a line for each job that failed for good since ``since``. If many failed, the last line counts the rest."""
    found = SQL.all(conn, "idle/failed", queues=list(queues), since=since, most=_NAMED)
    lines = [f"failed: {one['task']} {one['id']}: {one['type']}: {one['message']}" for one in found]
    return [*lines, f"failed: {found[0]['number'] - _NAMED} more"] if found and found[0]["number"] > _NAMED else lines
