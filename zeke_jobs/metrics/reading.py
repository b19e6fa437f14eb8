"""Reads all metrics that the database holds, in one snapshot, from views that a reader's rights reach."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2

from zeke_jobs.core.logs import get_logger
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric. ``labels`` are in the order of the family's."""

    name: str
    labels: tuple[str, ...]
    value: float


#: All that is said of a database that cannot be read.
DOWN = Sample("zeke_jobs_up", (), 0)
#: Metric → column of ``metrics_tasks``. A NULL is no sample.
_TASK_COLUMNS = {
    "zeke_jobs_queued": "queued",
    "zeke_jobs_active": "active",
    "zeke_jobs_active_limit": "active_limit",
    "zeke_jobs_oldest_wait_seconds": "oldest_wait",
    "zeke_jobs_max_wait_seconds": "max_wait",
    "zeke_jobs_paused": "paused",
    "zeke_jobs_completed_per_minute": "done_per_minute",
    "zeke_jobs_failed_per_minute": "failed_per_minute",
    "zeke_jobs_failed_last_hour": "failed",
    "zeke_jobs_serving_processes": "processes",
    "zeke_jobs_serving_threads": "threads",
}
_LIMIT_COLUMNS = {
    "zeke_jobs_limit_active": "active",
    "zeke_jobs_limit_concurrency": "concurrency",
    "zeke_jobs_limit_rate_used": "used",
    "zeke_jobs_limit_rate": "rate_count",
}
_QUANTILES = {"0.5": "p50", "0.95": "p95"}


def read(url: str) -> list[Sample]:
    """All samples of the database at an address; only ``zeke_jobs_up`` 0, and why in the log, when it cannot be read.

    That is when it does not answer, takes too long, does not have the tables of this version, or refuses them.
    """
    begin = time.perf_counter()
    try:
        with closing(connect(url, application_name="zeke-jobs metrics")) as conn, snapshot(conn):
            samples = list(_samples(conn))
    except psycopg2.Error as error:
        # A line for each scrape, as long as it lasts: whoever watches the log alone must see it too.
        get_logger("zeke_jobs.metrics").error("the database cannot be read", error=str(error).strip())
        return [DOWN]
    took = time.perf_counter() - begin
    return [Sample("zeke_jobs_up", (), 1), Sample("zeke_jobs_read_seconds", (), took), *samples]


def _samples(conn: Connection) -> Iterator[Sample]:
    for row in SQL.all(conn, "metrics/tasks"):
        task = (row["task"], row["queue"])
        yield from _columns(row, _TASK_COLUMNS, task)
        if row["max_wait"] is not None:
            yield Sample("zeke_jobs_max_wait_breached", task, float(row["is_late"]))
        for quantile, column in _QUANTILES.items():
            yield from _columns(row, {"zeke_jobs_handler_seconds": column}, (*task, quantile))
    for row in SQL.all(conn, "metrics/costs"):
        yield Sample("zeke_jobs_cost_last_day", (row["task"], row["currency"]), float(row["cost"]))
    for row in SQL.all(conn, "metrics/limits"):
        yield from _columns(row, _LIMIT_COLUMNS, (row["name"],))
    silence = None
    for row in SQL.all(conn, "metrics/schedules"):
        silence = row["silence"]
        yield from _columns(row, {"zeke_jobs_schedule_lag_seconds": "lag"}, (row["task"],))
    if silence is not None:
        yield Sample("zeke_jobs_scheduler_silence_seconds", (), silence)
    for row in SQL.all(conn, "metrics/processes"):
        state = (row["kind"], row["state"])
        yield from _columns(row, {"zeke_jobs_processes": "processes", "zeke_jobs_threads": "threads"}, state)


def _columns(row: dict[str, Any], columns: dict[str, str], labels: tuple[str, ...]) -> Iterator[Sample]:
    for name, column in columns.items():
        if row[column] is not None:
            yield Sample(name, labels, float(row[column]))
