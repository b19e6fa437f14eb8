"""Jobs that a command sends while a person waits: reading a source."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors.cli.output import ago
from actors.engine.canonical import site_of
from actors.store.statements import SQL
from zeke_jobs.cli.output import counter
from zeke_jobs.postgres.pool import transaction

NO_WORKER = "no worker runs: zeke-jobs up starts them, and they do it then"

_PATIENCE = 300.0  # seconds that a command waits for its jobs, which go on after it
_LOOK = 0.2  # seconds between two looks at the jobs
_ENDED = {"completed", "failed", "cancelled"}


def send_reads(conn: Connection, named: Sequence[tuple[UUID, str]], *, backfill: int = 0) -> dict[str, UUID]:
    """Send ingest-source for sources, by id and address, in one transaction; returns the jobs' ids with their sources' ids."""
    sent: dict[str, UUID] = {}
    more = {"backfill": backfill} if backfill else {}
    with transaction(conn):
        SQL.run(conn, "sources_queue", ids=[source_id for source_id, _ in named])
        for source_id, url in named:
            payload = {"source_id": str(source_id), "reason": "manual", **more}
            one = zeke_jobs.send("ingest-source", payload, key=site_of(url) or None, priority=10, connection=conn)
            sent[str(one.id)] = source_id
    return sent


def follow(conn: Connection, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Wait until the jobs have ended or were put off, telling their number on a terminal; returns their last state by id."""
    known: dict[str, dict[str, Any]] = {}
    left = set(ids)
    end = time.monotonic() + _PATIENCE
    with counter() as show:
        while left and time.monotonic() < end:
            show(f"reading sources; {len(left)} are left")
            for row in SQL.all(conn, "news_jobs_named", ids=sorted(left)):
                known[str(row["id"])] = row
            left = {one for one in left if one not in known or not is_over(known[one])}
            time.sleep(_LOOK if left else 0)
    return known


def is_over(job: Mapping[str, Any]) -> bool:
    """Whether the wait for it is over: it has ended, or was put off."""
    return job["state"] in _ENDED or (bool(job["is_later"]) and job["state"] != "active")


def outcome(job: Mapping[str, Any] | None) -> str:
    """The state of a job in words."""
    if job is None:
        return "its job is gone"
    if job["state"] == "completed":
        output = job["output"] if isinstance(job["output"], dict) else {}
        return str(output.get("detail") or output.get("outcome") or "done")
    if job["state"] in _ENDED:
        error = job["error"] if isinstance(job["error"], dict) else {}
        return f"{job['state']}: {error.get('message') or 'no reason given'}"
    waiting = job["waiting_for"] or "it is tried again"
    return f"not yet, {ago(job['start_after'])}: {waiting}" if job["is_later"] else f"not yet: {job['state']}"
