"""The delay before a job starts, in an idle system."""

import os
import random
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import scalar
from tests.lab.bench import ours
from tests.lab.bench.bench import Bench
from tests.lab.bench.result import Row


def measure(bench: Bench) -> list[Row]:
    """From before ``send`` until the handler runs, with every thread idle."""
    text = ours.jobs_yaml({ours.FREE: {"handler": f"{ours.HANDLERS}:nap"}})
    count = 60 if bench.quick else 500
    with bench.running(bench.installation("latency", text)) as up:
        os.environ["DATABASE_URL"] = up.system.url
        kinds = {
            "send → handler": _samples(count, lambda job: _output(up.conn, job)),
            "send, wait → handler": _samples(count // 2, zeke_jobs.wait),
        }
    rows = []
    for what, samples in kinds.items():
        p50, p99 = samples[len(samples) // 2], samples[int(len(samples) * 0.99)]
        slow = f"{sum(s > 100 for s in samples)} of {len(samples)} above 100 ms; the longest {samples[-1]:.0f} ms"
        rows += [Row(f"{what}, p50", p50, "ms", most=4), Row(f"{what}, p99", p99, "ms", most=12, note=slow)]
    return rows


def _samples(count: int, output: Callable[[UUID], Any]) -> list[float]:
    chance = random.Random(1)
    samples = []
    for _ in range(count):
        time.sleep(chance.uniform(0.05, 0.15))  # idle again, and out of step with every timer
        sent = time.time()
        job = zeke_jobs.send(ours.FREE)
        samples.append((output(job.id)["start"] - sent) * 1e3)
    return sorted(samples[5:])


def _output(conn: Connection, job: UUID) -> Any:
    """Without ``wait``, which touches the job's row."""
    while (found := scalar(conn, "SELECT result FROM zeke_jobs.queue WHERE message_id = %s", str(job))) is None:
        time.sleep(0.02)
    return found
