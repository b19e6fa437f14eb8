"""The cost of looking: reading all metrics, and one refresh of ``top``."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from typing import TYPE_CHECKING

from tests.lab.bench import ours, server
from tests.lab.bench.result import Row
from zeke_jobs import config
from zeke_jobs.metrics import exporter
from zeke_jobs.postgres.pool import connect
from zeke_jobs.top import board

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.bench import Bench

METRICS = "metrics"
TOP = "top"
_JOBS = 65_000  # queued, of thirteen tasks, and as many completed
_LONGEST = 250.0  # milliseconds; top refreshes once a second


def metrics(bench: Bench) -> list[Row]:
    """As an exporter does it: with a connection of its own."""
    return _measure(bench, METRICS, "read all metrics", lambda url, _: exporter.read(url))


def top(bench: Bench) -> list[Row]:
    """Of a screen that stays open."""
    return _measure(bench, TOP, "one refresh", lambda _, conn: board.read(conn))


def _measure(bench: Bench, measure: str, what: str, look: Callable[[str, Connection], object]) -> list[Row]:
    installation = bench.installation(measure, ours.jobs_yaml({}))
    with closing(connect(installation.url)) as conn:
        tasks = tuple(config.load(installation.path).tasks)
        installation.seed(conn, _JOBS, tasks=tasks)
        server.run(
            conn, "UPDATE zeke_jobs.queue SET state = 'done', started_on = run_at, completed_on = clock_timestamp()"
        )
        installation.seed(conn, _JOBS, tasks=tasks)
        server.vacuum(conn)
        times = []
        for _ in range(bench.rounds * 5):
            begin = time.perf_counter()
            look(installation.url, conn)
            times.append((time.perf_counter() - begin) * 1e3)
    bench.server.drop(installation.url)
    middle = statistics.median(times)
    bench.say(f"{what}: {middle:.0f} ms")
    note = f"{_JOBS:,} jobs queued, as many completed"
    target = f"≤ {_LONGEST:g}"
    return [Row(measure, what, middle, "ms", rounds=tuple(times), target=target, reached=middle <= _LONGEST, note=note)]
