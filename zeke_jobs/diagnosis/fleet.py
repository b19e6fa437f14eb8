"""The live processes, their revisions, and their differences from the revision in force."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from zeke_jobs.config import digest_of, read_text
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import store

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

_LOOK = 0.05  # seconds


@dataclass(frozen=True)
class Member:
    """A live process. Its drift describes each difference from the others; usually there is none.

    Attributes:
        revision: The revision it uses; for a scheduler the one in force, because it reads that at each beat.
        file_revision: The newest revision with the text of its own jobs.yaml, read when it last took up a revision.
        since: Time of its start.
        heartbeat: Time of its last heartbeat.
        threads: Number of jobs that it may run at once.
        busy: Number of jobs that it holds.
        silent: Whether its heartbeat is so old that it has ended or hangs.
        refusal: The reason why its code does not fit a newer revision; None if it fits, or was not checked yet.
    """

    id: UUID
    kind: str
    host: str
    pid: int
    version: str
    revision: int
    file_revision: int | None
    since: datetime
    heartbeat: datetime
    threads: int
    busy: int
    queues: list[str]
    silent: bool
    refusal: str | None
    drift: list[str]


@dataclass(frozen=True)
class Fleet:
    """All live processes, and the queues with tasks in force but without a worker."""

    revision: int
    members: tuple[Member, ...]
    unserved: tuple[str, ...]


def look(conn: Connection) -> Fleet:
    """The fleet now."""
    latest = store.latest(conn, whole=False)
    number = latest.number if latest else 0
    rows = SQL.all(conn, "fleet/members")
    versions = {row["version"] for row in rows}
    members = tuple(_member(row, number, versions) for row in rows)
    return Fleet(number, members, tuple(row["queue"] for row in SQL.all(conn, "fleet/unserved")))


def _member(row: dict[str, Any], number: int, versions: set[str]) -> Member:
    found: dict[str, Any] = {one.name: row.get(one.name) for one in fields(Member)}
    found |= {
        "since": row["started_on"],
        "heartbeat": row["heartbeat_on"],
        "silent": row["is_late"] or row["is_silent"],
    }
    if row["kind"] == "scheduler":
        found["revision"] = number  # it reads the revision in force at each beat; its row has that of the last beat
    return Member(**found | {"drift": _drift(row, number, versions)})


def unapplied(conn: Connection, file: Path) -> str | None:
    """The difference of a jobs.yaml from the one in force, in a sentence; None without a difference or without one in force."""
    latest = store.latest(conn, whole=False)
    if latest is None:
        return None
    digest = digest_of(read_text(file))
    if digest == latest.digest:
        return None
    older = store.number_of(conn, digest)
    what = "was changed and not applied" if older is None else f"is that of revision {older}"
    return f"{file} {what}; in force is revision {latest.number}"


def await_follow(conn: Connection, revision: int, seconds: float) -> list[Member]:
    """Wait until every live worker uses a revision, at most for some seconds; returns the workers that do not."""
    end = time.monotonic() + seconds
    while True:
        workers = [one for one in look(conn).members if one.kind == "worker" and not one.silent]
        behind = [one for one in workers if one.revision < revision]
        if not behind or time.monotonic() >= end:
            return behind
        time.sleep(_LOOK)


def _drift(row: dict[str, Any], number: int, versions: set[str]) -> list[str]:
    if row["is_late"]:
        return ["no heartbeat: it counts as lost"]
    if row["is_silent"]:
        return ["no heartbeat: it has ended, or hangs"]
    found = []
    if row["kind"] == "worker" and row["revision"] != number:
        # Only the first line: for a fault of jobs.yaml, the next ones quote the file.
        reason = (row["refusal"] or "it follows within two seconds").splitlines()[0]
        found.append(f"runs by revision {row['revision']}: {reason}")
    # Compare the texts, because a revision that only sets a value by hand has a new number but the same text. Leave out processes
    # that do not use the revision in force yet: they have not read their file since.
    elif row["file_digest"] is not None and row["file_digest"] != row["digest_in_force"] and row["revision"] == number:
        found.append(f"its file is that of revision {row['file_revision']}; it changes nothing")
    if len(versions) > 1 and row["version"] != max(versions):
        found.append(f"version {row['version']}, another runs {max(versions)}")
    return found
