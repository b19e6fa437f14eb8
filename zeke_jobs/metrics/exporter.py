"""Exports the database's metrics to Prometheus, read in one snapshot of the views open to the reader role."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import psycopg2
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.environment import Address
from zeke_jobs.core.logs import get_logger
from zeke_jobs.diagnosis.snapshot import snapshot
from zeke_jobs.metrics import exposition
from zeke_jobs.metrics.families import DATABASE
from zeke_jobs.postgres.pool import UNMIGRATED, connect
from zeke_jobs.postgres.queries import SQL


class Sample(NamedTuple):
    """One value of a metric. ``labels`` are in the order of the family's labels."""

    name: str
    labels: tuple[str, ...]
    value: float


#: The only sample of a database that cannot be read.
DOWN = Sample("zeke_jobs_up", (), 0)
_TASK_COLUMNS, _LIMIT_COLUMNS = (
    {family.name: family.column for family in DATABASE if family.labels == labels and family.column}
    for labels in (("task", "queue"), ("limit",))
)
_QUANTILES = {"0.5": "p50", "0.95": "p95"}


def read(url: str) -> list[Sample]:
    """All samples of a database; only ``zeke_jobs_up`` 0, with the reason in the log, when it cannot be read.

    That is when it does not answer, takes too long, lacks the tables of this version, or denies access.
    """
    begin = time.perf_counter()
    try:
        with closing(connect(url, application_name="zeke-jobs metrics")) as conn, snapshot(conn):
            samples = list(_samples(conn))
    except psycopg2.Error as error:
        # One line for each scrape while it lasts, because some operators watch only the log.
        reason = (
            "it has no tables of zeke_jobs; run: zeke-jobs migrate"
            if isinstance(error, UNMIGRATED)
            else str(error).strip()
        )
        get_logger("zeke_jobs.metrics").error("the database cannot be read", error=reason)
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
        yield from _limit(row)
    silence = None
    for row in SQL.all(conn, "metrics/schedules"):
        silence = row["silence"]
        yield from _columns(row, {"zeke_jobs_schedule_lag_seconds": "lag"}, (row["task"],))
    if silence is not None:
        yield Sample("zeke_jobs_scheduler_silence_seconds", (), silence)
    for row in SQL.all(conn, "metrics/processes"):
        state = (row["kind"], row["state"])
        yield from _columns(row, {"zeke_jobs_processes": "processes", "zeke_jobs_threads": "threads"}, state)


def _limit(row: dict[str, Any]) -> Iterator[Sample]:
    yield from _columns(row, _LIMIT_COLUMNS, (row["name"],))
    if row["closed_by"] is not None:
        yield Sample("zeke_jobs_limit_closed", (row["name"], row["closed_by"]), 1.0)
    for unit in row["units"] or ():
        columns = {"zeke_jobs_limit_unit_used": "used", "zeke_jobs_limit_unit": "amount"}
        yield from _columns(unit, columns, (row["name"], unit["unit"]))


def _columns(row: dict[str, Any], columns: dict[str, str], labels: tuple[str, ...]) -> Iterator[Sample]:
    for name, column in columns.items():
        if row[column] is not None:
            yield Sample(name, labels, float(row[column]))


class DatabaseCollector(Collector):
    """Reads the database on each request; keeps no connection between requests.

    Attributes:
        failed: Whether the last read failed.
    """

    def __init__(self, url: str) -> None:
        self.failed = False
        self._url = url
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families that have samples."""
        families = {one.name: GaugeMetricFamily(one.name, one.help, labels=one.labels) for one in DATABASE}
        samples = read(self._url)
        self.failed = samples == [DOWN]
        for sample in samples:
            families[sample.name].add_metric(sample.labels, sample.value)
        yield from (family for family in families.values() if family.samples)


def text(url: str) -> tuple[str, bool]:
    """All metrics of a database in Prometheus's text format, and whether it could be read."""
    collector = DatabaseCollector(url)
    return generate_latest(collector.registry).decode(), not collector.failed


def serve(url: str, address: Address) -> None:
    """Serve the metrics at ``/metrics``, read anew for each scrape, until Ctrl-C or SIGTERM.

    Raises:
        OSError: the address is not available.
    """
    exposition.serve(DatabaseCollector(url).registry, address)
