"""Gives what the database holds to Prometheus: as text, or served over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from zeke_jobs.metrics.families import DATABASE
from zeke_jobs.metrics.reading import DOWN, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from zeke_jobs.core.environment import Address


class DatabaseCollector(Collector):
    """Reads the database each time it is asked; keeps no connection in between.

    Attributes:
        failed: Whether the last reading did.
    """

    def __init__(self, url: str) -> None:
        self.failed = False
        self._url = url

    def describe(self) -> list[GaugeMetricFamily]:
        """What it collects, without reading the database."""
        return [GaugeMetricFamily(family.name, family.help, labels=family.labels) for family in DATABASE]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The families that have samples."""
        families = {family.name: family for family in self.describe()}
        samples = read(self._url)
        self.failed = samples == [DOWN]
        for sample in samples:
            families[sample.name].add_metric(sample.labels, sample.value)
        yield from (family for family in families.values() if family.samples)


def text(url: str) -> tuple[str, bool]:
    """All metrics of the database at an address, in Prometheus's text format, and whether it could be read."""
    collector = DatabaseCollector(url)
    return generate_latest(_registry(collector)).decode(), not collector.failed


def serve(url: str, address: Address) -> tuple[WSGIServer, Thread]:
    """Serve them at ``/metrics`` in a thread, each scrape with a reading of its own; ``shutdown()`` of the server ends it.

    Raises:
        OSError: the address cannot be had.
    """
    return start_http_server(address.port, address.host, registry=_registry(DatabaseCollector(url)))


def _registry(collector: DatabaseCollector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
