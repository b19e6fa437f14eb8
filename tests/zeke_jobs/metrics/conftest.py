"""Fixtures of the metrics tests: the data of the diagnosis tests, and an exporter's answer about it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.zeke_jobs.diagnosis.conftest import Scene, scene
from zeke_jobs.metrics.exporter import read

__all__ = ["scene"]

Values = dict[tuple[Any, ...], float]


@pytest.fixture
def values(database: str, scene: Scene) -> Callable[[], Values]:
    """The present metrics, by name and labels: ``values()["zeke_jobs_queued", "quick", "default"]``."""
    return lambda: {(sample.name, *sample.labels): sample.value for sample in read(database)}
