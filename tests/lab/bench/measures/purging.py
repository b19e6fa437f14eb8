"""Whether retention removes jobs as fast as workers finish them."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from tests.lab.bench import drain, ours, server
from tests.lab.bench.result import Row
from zeke_jobs.worker.life import retention

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.bench import Bench

MEASURE = "purge"


def measure(bench: Bench) -> list[Row]:
    """Purge the drained jobs, alone and while the workers go on."""
    figures, beside, drains, rival = [], [], [], []
    with bench.running(bench.installation("purge", ours.jobs_yaml({ours.FREE: {}}))) as up:
        count = up.sized(bench.seconds * 2, 2_000)
        for _ in range(bench.rounds):
            drains.append(up.drain(count))
            _age(up.conn)
            begin = time.perf_counter()
            figures.append(retention.purge(up.conn) / (time.perf_counter() - begin))
        for _ in range(bench.rounds):
            up.drain(count)
            _age(up.conn)
            server.vacuum(up.conn)
            since = float(server.scalar(up.conn, "SELECT extract(epoch FROM clock_timestamp())"))
            up.system.seed(up.conn, count)
            begin = time.perf_counter()
            beside.append(retention.purge(up.conn) / (time.perf_counter() - begin))
            drain.eventually(lambda: not up.system.left(up.conn), up.fleet)
            rival.append(drain.rate(up.system.completions(up.conn, since)))
    alone, drained = statistics.median(figures), drain.median(drains).rate
    both, slower = statistics.median(beside), statistics.median(rival)
    bench.say(f"purge {alone:,.0f}/s, drain {drained:,.0f}/s; at the same time {both:,.0f}/s and {slower:,.0f}/s")
    return [
        Row(MEASURE, "drain, nothing purged", drained),
        Row(MEASURE, "purge, nothing drained", alone, rounds=tuple(figures), ratio=alone / drained, against="drain"),
        Row(
            MEASURE, "drain, while purging", slower, rounds=tuple(rival), ratio=slower / drained, against="drain alone"
        ),
        Row(
            MEASURE,
            "purge, while draining",
            both,
            rounds=tuple(beside),
            ratio=both / slower,
            against="drain meanwhile",
            target="≥ 1",
            reached=both >= slower,
        ),
    ]


def _age(conn: Connection) -> None:
    """Move the end of finished jobs into the past."""
    server.run(
        conn,
        "UPDATE zeke_jobs.queue SET completed_on = completed_on - interval '100 days' WHERE state IN ('done', 'rejected')",
    )
    server.vacuum(conn)
