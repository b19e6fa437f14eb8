"""One scheduler pass over ten thousand sources that are all due: its time, and the memory of the one worker that makes it."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import yaml

import zeke_jobs
from tests.lab.bench import drain, server
from tests.lab.bench.bench import ratio
from tests.lab.bench.processes import ROOT, fleet
from tests.lab.bench.result import Row
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.bench import Bench

MEASURE = "pull"
SOURCES = 10_000
_MIB = 1024 * 1024
_SECONDS = 2.0
_ADD = """INSERT INTO public.sources (type, name, url)
    SELECT 'rss', 'Feed ' || n, 'https://www.site' || n / 2 || '.example/feeds/' || n || '.xml?lang=en'
    FROM generate_series(1, %s) AS n"""
_TOOK = """SELECT extract(epoch FROM completed_on - started_on)::double precision
    FROM zeke_jobs.queue WHERE message_id = %s"""


def measure(bench: Bench) -> list[Row]:
    """The shipped ingest-pull in one worker process; its jobs are paused."""
    url = bench.database("pull")
    folder = bench.folder / "pull"
    folder.mkdir()
    real = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    real["tasks"]["ingest-source"]["paused"] = True
    path = folder / "jobs.yaml"
    path.write_text(yaml.safe_dump(real, sort_keys=False))
    os.environ["DATABASE_URL"] = url
    with closing(connect(url)) as conn, fleet(folder) as up:
        migrate.migrate(conn, ["actors.store"])
        server.run(conn, _ADD, SOURCES)
        server.vacuum(conn)
        up.run(
            ["dramatiq", "zeke_jobs.actors", "-p", "1", "-t", "8"],
            {"DATABASE_URL": url, "ZEKE_JOBS_CONFIG": str(path)},
        )
        ready = "SELECT pid FROM zeke_jobs.worker WHERE kind = 'worker'"
        drain.eventually(lambda: server.scalar(conn, ready), up, patience=60)
        worker = psutil.Process(int(server.scalar(conn, ready)))
        before = worker.memory_info().rss / _MIB
        passes, bare = [], []
        for _ in range(bench.rounds):
            bare.append(_bare(conn))
            passes.append(_pass(conn))
        rss = worker.memory_info().rss / _MIB
    seconds = statistics.median(passes)
    bench.say(f"{seconds:.2f} s, {rss:.0f} MiB")
    return [
        Row(
            MEASURE,
            f"{SOURCES:,} due sources: marked and sent",
            seconds,
            "s",
            rounds=tuple(passes),
            ratio=ratio(passes, bare),
            against="zeke_jobs.send_many of as many jobs",
            target=f"< {_SECONDS:g} s",
            reached=seconds < _SECONDS,
        ),
        Row(MEASURE, "the worker that did it, resident", rss, "MiB", note=f"{before:.0f} MiB before the first pass"),
    ]


def _bare(conn: Connection) -> float:
    """Sending as many jobs and nothing else."""
    begin = time.perf_counter()
    payloads = [{"source_id": f"00000000-0000-0000-0000-{n:012}", "reason": "schedule"} for n in range(SOURCES)]
    zeke_jobs.send_many("ingest-source", payloads, keys=[f"site{n // 2}.example" for n in range(SOURCES)])
    took = time.perf_counter() - begin
    _clear(conn)
    return took


def _pass(conn: Connection) -> float:
    sent = zeke_jobs.send("ingest-pull", {})
    output = zeke_jobs.wait(sent.id, timeout=120)
    if output["sources"] != SOURCES:
        raise RuntimeError(f"expected a pass over {SOURCES} sources, got {output}")
    took = float(server.scalar(conn, _TOOK, sent.id))
    _clear(conn)
    return took


def _clear(conn: Connection) -> None:
    server.run(conn, "DELETE FROM zeke_jobs.queue")
    server.run(conn, "UPDATE public.source_polling SET queued_at = NULL")
    server.vacuum(conn)
