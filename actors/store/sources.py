"""Stores sources with the state and results of their polls, and removes or merges them with all their rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.engine.canonical import site_of
from actors.store import SQL
from zeke_jobs.postgres.queries import Row

FEED_TYPES = ("rss", "podcast")
YOUTUBE_TYPES = ("youtube_channel",)
PAGE = "page"
NEWSLETTER = "newsletter"
POLLED_TYPES = (*FEED_TYPES, PAGE, NEWSLETTER)
"""The types of the sources that ingest-pull sends to ingest-source."""

MANUAL = "manual"

_NAMESPACE = UUID("6f2f4a52-8f0c-5d0e-9a54-2d7f3f1f6a11")


@dataclass(frozen=True)
class Polling:
    """Holds what a poll of a source stores for the next poll, such as the ETag."""

    etag: str | None = None
    last_modified: str | None = None
    failures: int = 0  # number of consecutive failures
    gone_count: int = 0  # consecutive answers with 410
    moved_to: str | None = None  # the target of a permanent redirect
    moved_count: int = 0
    moved_since: datetime | None = None
    fetched_once: bool = False


def get(conn: Connection, source_id: UUID) -> Row | None:
    """Return the source with its ``polling``, its usual ``interval`` (None if unknown), and the database's time ``now``."""
    row = SQL.one(conn, "source_get", source_id=source_id)
    if row is None:
        return None
    seconds = row.pop("interval_seconds")
    polling = Polling(**{name: row.pop(name) for name in Polling.__dataclass_fields__})
    return Row(**row, interval=timedelta(seconds=seconds) if seconds else None, polling=polling)


def add(
    conn: Connection, kind: str, url: str, *, name: str = "", authority: float | None = None, metadata: Any = None
) -> tuple[UUID, bool]:
    """Add a source, or find the existing source. Returns the source's id, and whether the source is new."""
    known = SQL.value(conn, "source_find", type=kind, url=url)
    if known is not None:
        return UUID(str(known)), False
    # The id is a hash, so that two workers that add the same source make the same id.
    source_id = uuid5(_NAMESPACE, f"{kind} {url}")
    told = {"name": name or None, "authority_score": authority, "metadata": Json(metadata or {})}
    return source_id, SQL.run(conn, "source_add", source_id=str(source_id), type=kind, url=url, **told) > 0


def manual(conn: Connection, page: str) -> UUID:
    """Return the source of type ``manual`` for the site of ``page``. It is created when it is first needed."""
    site = site_of(page)
    return add(conn, MANUAL, f"https://{site}", name=site)[0]


def listing(conn: Connection, *, active_only: bool = False) -> list[dict[str, Any]]:
    """Return all sources, the oldest first, each with its health, next check and the outcomes of its ``articles``."""
    return SQL.all(conn, "source_list", active_only=active_only)


def folder_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the folders of a listed source, the outermost first, or an empty tuple for a source without a folder."""
    return tuple(map(str, row["folder"])) if isinstance(row["folder"], list) else ()


def polled(conn: Connection, source_id: UUID, polling: Polling, *, wait: timedelta, interval: timedelta) -> None:
    """Store the result of a poll and the source's usual ``interval``. The next poll is due after ``wait``."""
    seconds = int(interval.total_seconds())
    SQL.run(conn, "source_polled", source_id=source_id, wait=wait, interval_seconds=seconds, **vars(polling))


def remove(tx: Connection, source_id: UUID, *, into: UUID | None = None) -> int:
    """Remove a source, and choose the leading story of each affected event again. Returns the number of moved items.

    Its items and stories move to the source ``into``. If ``into`` is None, they are deleted, but a story that another
    source also reports moves to that source.
    """
    for one in sorted({source_id, into or source_id}):
        SQL.one(tx, "source_lock", source_id=one)
    events = sorted(row["id"] for row in SQL.all(tx, "source_clusters", source_id=source_id))
    if into is None:
        SQL.run(tx, "source_bequeath", source_id=source_id)
    moved = 0 if into is None else int(SQL.value(tx, "source_merge", source_id=source_id, into=into))
    SQL.run(tx, "source_remove", source_id=source_id)
    for event in events:
        SQL.run(tx, "cluster_lead", cluster_id=event)
    SQL.run(tx, "clusters_drop_empty", ids=events)
    return moved
