"""Reads metrics for Prometheus, all in one snapshot, from the views that the role zeke_jobs_reader may read."""

import time
from contextlib import closing
from typing import Any

import psycopg2
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from zeke_jobs.core.logs import get_logger
from zeke_jobs.metrics.exposition import DATABASE
from zeke_jobs.postgres.pool import UNMIGRATED, connect
from zeke_jobs.postgres.queries import SQL, snapshot

_GAUGES = {family.name.removeprefix("zeke_jobs_"): family for family in DATABASE}
_STATEMENTS = ("tasks", "paces", "costs", "limits", "units", "schedules", "silence", "processes")


def read(url: str) -> list[GaugeMetricFamily]:
    """Read a database's metrics. If the read fails, the only metric is ``zeke_jobs_up`` 0, and the log has the reason."""
    families = {name: GaugeMetricFamily(one.name, one.help, labels=one.labels) for name, one in _GAUGES.items()}
    for row in _rows(url):  # columns have the names of metrics and labels; NULL means no figure
        for name, figure in row.items():
            if figure is not None and name in families:
                families[name].add_metric([row[label] for label in _GAUGES[name].labels], float(figure))
    return [family for family in families.values() if family.samples]


def _rows(url: str) -> list[dict[str, Any]]:
    begin = time.perf_counter()
    try:
        with closing(connect(url, application_name="zeke-jobs metrics")) as conn, snapshot(conn):
            rows = [row for statement in _STATEMENTS for row in SQL.all(conn, f"metrics/{statement}")]
    except psycopg2.Error as error:
        # Log a line for each failed scrape, because some operators watch only the log.
        unmigrated = "it has no tables of zeke_jobs; run: zeke-jobs migrate"
        reason = unmigrated if isinstance(error, UNMIGRATED) else str(error).strip()
        get_logger("zeke_jobs.metrics").error("the database cannot be read", error=reason)
        return [{"up": 0}]
    return [{"up": 1, "read_seconds": time.perf_counter() - begin}, *rows]


class DatabaseCollector(Collector):
    """Reads the database on each request, and keeps no connection between requests."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.registry = CollectorRegistry()
        self.registry.register(self)

    def collect(self) -> list[GaugeMetricFamily]:
        """Read the metrics from the database. A metric without a value is left out."""
        return read(self._url)


def text(url: str) -> tuple[str, bool]:
    """Return all metrics of a database in Prometheus's text format, and whether the database could be read."""
    found = generate_latest(DatabaseCollector(url).registry).decode()
    return found, "\nzeke_jobs_up 1.0\n" in found
