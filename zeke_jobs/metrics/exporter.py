"""Exports the database's metrics to Prometheus, read in one snapshot of the views open to the reader role."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import psycopg2
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.logs import get_logger
from zeke_jobs.metrics.exposition import DATABASE
from zeke_jobs.postgres.pool import UNMIGRATED, connect
from zeke_jobs.postgres.queries import SQL, snapshot


class Sample(NamedTuple):
    """One value of a metric. ``labels`` are in the order of the family's labels."""

    name: str
    labels: tuple[str, ...]
    value: float


#: The only sample of a database that cannot be read.
DOWN = Sample("zeke_jobs_up", (), 0)
_GAUGES = {family.name.removeprefix("zeke_jobs_"): family for family in DATABASE}
_STATEMENTS = ("tasks", "paces", "costs", "limits", "units", "schedules", "silence", "processes")


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
        unmigrated = "it has no tables of zeke_jobs; run: zeke-jobs migrate"
        reason = unmigrated if isinstance(error, UNMIGRATED) else str(error).strip()
        get_logger("zeke_jobs.metrics").error("the database cannot be read", error=reason)
        return [DOWN]
    took = time.perf_counter() - begin
    return [Sample("zeke_jobs_up", (), 1), Sample("zeke_jobs_read_seconds", (), took), *samples]


def _samples(conn: Connection) -> Iterator[Sample]:
    """The figures of each row, whose columns have the names of metrics and labels; NULL: no figure."""
    for statement in _STATEMENTS:
        for row in SQL.all(conn, f"metrics/{statement}"):
            for name, figure in row.items():
                if figure is not None and (family := _GAUGES.get(name)):
                    yield Sample(family.name, tuple(row[label] for label in family.labels), float(figure))


class DatabaseCollector(Collector):
    """Reads the database on each request; keeps no connection between requests."""

    def __init__(self, url: str) -> None:
        self.failed = False  # whether the last read failed
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
