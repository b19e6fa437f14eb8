"""Writes the database rows of a configuration: its tasks and limits, which claims and senders obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from zeke_jobs.config import catalogue
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config

GATHER = 10_000  # jobs of a task moved to its new name or queue in one statement


def write(conn: Connection, config: Config, revision: int, draining: Collection[str]) -> None:
    """Write limits and tasks as configured. Limits come first: their locks stop all claims until the transaction ends."""
    SQL.run(conn, "revision/limits", buckets=Json(catalogue.buckets(config)))
    SQL.run(conn, "revision/tasks", revision=revision, tasks=Json(catalogue.tasks(config, draining)))


def gather(conn: Connection) -> list[dict[str, Any]]:
    """Give queued jobs their tasks' present names, queues and keys; returns the moves."""
    return SQL.all(conn, "job/gather", limit=GATHER)


def cancel_removed(conn: Connection) -> list[dict[str, Any]]:
    """Cancel queued jobs whose name no task has any more; returns their number by task."""
    return SQL.all(conn, "job/cancel_removed")
