"""An idle system: the delay before a job starts, and the cost of waiting."""

from __future__ import annotations

import os
import random
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.lab.bench import ours, server
from tests.lab.bench.result import Row
from zeke_jobs import client
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.bench import Bench

LATENCY = "latency"
IDLE = "idle"
_PROCESSES = 2


def latency(bench: Bench) -> list[Row]:
    """From before ``send`` until the handler runs, with every thread idle."""
    text = ours.jobs_yaml({ours.FREE: {"handler": f"{ours.HANDLERS}:nap"}})
    count = 60 if bench.quick else 500
    with bench.running(bench.installation("latency", text)) as up:
        os.environ["DATABASE_URL"] = up.system.url
        alone = _samples(count, lambda job: _output(up.conn, job))
        awaited = _samples(count // 2, client.wait)
    rows = []
    for what, samples in (("send → handler", alone), ("send, wait → handler", awaited)):
        p50, p99 = samples[len(samples) // 2], samples[int(len(samples) * 0.99)]
        slow = f"{sum(s > 100 for s in samples)} of {len(samples)} above 100 ms; the longest {samples[-1]:.0f} ms"
        rows += [
            Row(LATENCY, f"{what}, p50", p50, "ms", target="≤ 5", reached=p50 <= 5),
            Row(LATENCY, f"{what}, p99", p99, "ms", target="≤ 25", reached=p99 <= 25, note=slow),
        ]
        bench.say(f"{what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms; {slow}")
    return rows


def _samples(count: int, output: Callable[[UUID], Any]) -> list[float]:
    chance = random.Random(1)
    samples = []
    for _ in range(count):
        time.sleep(chance.uniform(0.05, 0.15))  # idle again, and out of step with every timer
        sent = time.time()
        job = client.send(ours.FREE)
        samples.append((output(job.id)["start"] - sent) * 1e3)
    return sorted(samples[5:])


def _output(conn: Connection, job: UUID) -> Any:
    """Without ``wait``, which touches the job's row."""
    while (found := server.scalar(conn, "SELECT result FROM zeke_jobs.queue WHERE message_id = %s", str(job))) is None:
        time.sleep(0.02)
    return found


def idle(bench: Bench) -> list[Row]:
    """Statements that the server logged and connections it has, with three queues."""
    changed: dict[str, dict[str, Any]] = {ours.FREE: {"queue": "fast"}, "fetch-content": {"queue": "slow"}}
    installation = bench.installation("idle", ours.jobs_yaml(changed))
    seconds = 30.0 if bench.quick else 120.0
    with closing(connect(bench.server.url)) as conn:
        server.run(conn, f"ALTER DATABASE {urlsplit(installation.url).path[1:]} SET log_statement = 'all'")
    with bench.running(installation, processes=_PROCESSES) as up:
        time.sleep(15.0)  # what boot does once is over, and its connections are given back
        before = bench.server.statements()
        time.sleep(seconds)
        per_second = (bench.server.statements() - before) / seconds / _PROCESSES
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connections = int(server.scalar(up.conn, sql)) / _PROCESSES
    return [
        Row(
            IDLE, "statements a second and process, 3 queues", per_second, "1/s", target="≤ 1", reached=per_second <= 1
        ),
        Row(IDLE, "connections a process, 3 queues", connections, "", target="≤ 4", reached=connections <= 4),
    ]
