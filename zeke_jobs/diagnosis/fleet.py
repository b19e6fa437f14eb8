"""The live processes, the revision of each, and its drift from the revision in force."""

from __future__ import annotations

import time
from dataclasses import dataclass
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
    """A live process. Drift names each difference from the others, in words; usually there is none.

    Attributes:
        revision: What it runs by; a scheduler by what is in force, which it reads at each beat.
        file_revision: The newest revision with the text of its own jobs.yaml, as that was when it last took up a revision.
        since: When it started.
        heartbeat: When it last proved life.
        threads: Jobs that it may run at once.
        busy: Jobs that it holds.
        silent: Whether it has not proved life for so long that it has ended, or hangs.
        refusal: Why its code does not fit a newer revision; None where it does, or has not looked yet.
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
    queues: tuple[str, ...]
    silent: bool
    refusal: str | None
    drift: tuple[str, ...]


@dataclass(frozen=True)
class Fleet:
    """All live processes, and the queues with tasks in force that no worker consumes."""

    revision: int
    members: tuple[Member, ...]
    unserved: tuple[str, ...]


def look(conn: Connection) -> Fleet:
    """The fleet as it is now."""
    latest = store.latest(conn)
    number = latest.number if latest else 0
    rows = SQL.all(conn, "fleet/members")
    versions = {row["version"] for row in rows}
    members = tuple(_member(row, number, versions) for row in rows)
    return Fleet(number, members, tuple(row["queue"] for row in SQL.all(conn, "fleet/unserved")))


def _member(row: dict[str, Any], number: int, versions: set[str]) -> Member:
    own = {
        name: row[name]
        for name in ("id", "kind", "host", "pid", "version", "file_revision", "threads", "busy", "refusal")
    }
    return Member(
        **own,
        # A scheduler reads what is in force at each beat; its row has the revision of the last one.
        revision=row["revision"] if row["kind"] == "worker" else number,
        since=row["started_on"],
        heartbeat=row["heartbeat_on"],
        queues=tuple(row["queues"]),
        silent=row["is_late"] or row["is_silent"],
        drift=tuple(_drift(row, number, versions)),
    )


def unapplied(conn: Connection, file: Path) -> str | None:
    """How a jobs.yaml differs from the one in force, in a sentence; None where it is that one, or nothing was ever in force."""
    latest = store.latest(conn)
    if latest is None:
        return None
    digest = digest_of(read_text(file))
    if digest == latest.digest:
        return None
    older = store.number_of(conn, digest)
    what = "was changed and not applied" if older is None else f"is that of revision {older}"
    return f"{file} {what}; in force is revision {latest.number}"


def await_follow(conn: Connection, revision: int, seconds: float) -> list[Member]:
    """Wait until every live worker runs by a revision, at most so many seconds; answers the workers that do not."""
    end = time.monotonic() + seconds
    while True:
        workers = [one for one in look(conn).members if one.kind == "worker" and not one.silent]
        behind = [one for one in workers if one.revision < revision]
        if not behind or time.monotonic() >= end:
            return behind
        time.sleep(_LOOK)


def _drift(row: dict[str, Any], number: int, versions: set[str]) -> list[str]:
    found = []
    if row["is_late"]:
        found.append("no heartbeat: it counts as lost")
    elif row["is_silent"]:
        found.append("no heartbeat: it has ended, or hangs")
    if row["kind"] == "worker" and row["revision"] != number:
        reason = row["refusal"] or "it follows within two seconds"
        found.append(f"runs by revision {row['revision']}: {reason}")
    # Numbers of one text differ: a revision that only sets something by hand has the text of the one before. Who has not taken up
    # the revision in force has not looked at its file since.
    elif row["file_digest"] is not None and row["file_digest"] != row["digest_in_force"] and row["revision"] == number:
        found.append(f"its file is that of revision {row['file_revision']}; it changes nothing")
    if len(versions) > 1 and row["version"] != max(versions):
        found.append(f"version {row['version']}, another runs {max(versions)}")
    return found
