"""A real run of the load: real workers, a real server, sleeping handlers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import query, scalar
from tests.lab import server
from tests.lab.bench.bench import working
from tests.lab.bench.ours import Installation
from tests.lab.validate.scenario import PROCESSES, THREADS, WITH_BUDGET, Send
from zeke_jobs import config
from zeke_jobs.backtest import history
from zeke_jobs.backtest.figures import percentile
from zeke_jobs.backtest.workload import Workload

_UNFINISHED = f"""
SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed' OR state = 'queued' AND task <> '{WITH_BUDGET}'"""
#: From when each job was due first to its first start, in seconds.
_WAITS = """
SELECT q.task, extract(epoch FROM coalesce((q.attempts #>> '{0,started_on}')::timestamptz, q.started_on) - q.created_on)::float
FROM zeke_jobs.queue AS q WHERE q.started_on IS NOT NULL"""


@dataclass(frozen=True)
class Waits:
    """How many jobs of a task started, and how long they waited, in seconds."""

    started: int
    mean: float
    p95: float


@dataclass(frozen=True)
class Run:
    """What a real run showed."""

    waits: dict[str, Waits]
    recording: Workload


def run(started: server.Server, name: str, text: str, load: Sequence[Send]) -> Run:
    """Send the load to fresh workers under this jobs.yaml, and wait until all of it has ended."""
    folder = started.files / name
    installation = Installation(started.create(name), folder, text)
    with working(installation, folder, processes=PROCESSES, threads=THREADS) as (workers, conn):
        begin = scalar(conn, "SELECT zeke_jobs.now()")
        _send(conn, load)
        end = scalar(conn, "SELECT zeke_jobs.now()")
        workers.until(lambda: scalar(conn, _UNFINISHED) == 0)
        in_force = config.load_text(text, "jobs.yaml", handlers=False)
        recording = history.read(conn, in_force, begin, end + timedelta(milliseconds=1))
        waits: dict[str, list[float]] = {}
        for task, wait in query(conn, _WAITS):
            waits.setdefault(task, []).append(wait)
    started.drop(installation.url)
    return Run({task: waits_of(many) for task, many in sorted(waits.items())}, recording)


def waits_of(many: Sequence[float]) -> Waits:
    """Number, mean and 95th percentile."""
    return Waits(len(many), sum(many) / len(many), percentile(sorted(many), 0.95) or 0.0)


def _send(conn: Connection, load: Sequence[Send]) -> None:
    begin = time.monotonic()
    for send in load:
        time.sleep(max(0.0, begin + send.at - time.monotonic()))
        zeke_jobs.send(send.task, send.payload, connection=conn, key=send.key)
