"""The bench runs zeke_jobs with its real commands, and with thirteen tasks like those of the shipped jobs.yaml."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import yaml
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import ROOT, Fleet, query, scalar
from zeke_jobs import config
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.revisions.applying import sync

NAME = "zeke_jobs"
HANDLERS = "tests.lab.handlers"
FREE = "score-relevance"  # By default the task FREE has no limit.
NAP = {"handler": f"{HANDLERS}:nap"}
_OWN_SHAPE = ("concurrency", "rate", "uses", "priority", "timeout", "retry", "aliases", "queue", "description")


def jobs_yaml(changed: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the shipped jobs.yaml with handlers that do nothing; ``changed`` replaces the limits of some tasks."""
    real = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    tasks = {}
    for name, stanza in real["tasks"].items():
        task = {key: value for key, value in stanza.items() if key in _OWN_SHAPE}
        if name in changed:
            task = {key: value for key, value in task.items() if key not in ("concurrency", "uses", "priority")}
            task |= changed[name]
        tasks[name] = {"handler": f"{HANDLERS}:no_op", **task}
    real = {key: value for key, value in real.items() if key not in ("services", "migrations")}
    return yaml.safe_dump({**real, "tasks": tasks}, sort_keys=False)


class Installation:
    def __init__(self, url: str, folder: Path, text: str) -> None:
        self.url, self.path = url, folder / "jobs.yaml"
        folder.mkdir(exist_ok=True)
        self.path.write_text(text)
        with closing(connect(url)) as conn:
            migrate.migrate(conn, [])
            sync(conn, config.load(self.path))

    def start(self, fleet: Fleet, *, processes: int = 2, threads: int = 8) -> None:
        fleet.workers(processes=processes, threads=threads, ZEKE_JOBS_CONFIG=str(self.path))

    def ready(self, conn: Connection, processes: int = 2, **_: Any) -> bool:
        """Say whether ``processes`` worker processes are idle."""
        return bool(scalar(conn, "SELECT count(*) >= %s FROM zeke_jobs.worker WHERE idle <> '{}'", processes))

    def seed(self, conn: Connection, count: int, *, task: str = FREE, **kind: Any) -> None:
        with transaction(conn):
            sent = zeke_jobs.send(task, kind.get("payload", {}), connection=conn, key=kind.get("key"))
            multiply(conn, sent.id, count - 1, **kind.get("instead", {}))

    def left(self, conn: Connection, *, task: str = FREE, which: str = "true", **_: Any) -> bool:
        """Say whether the task has unfinished jobs among those for which the SQL condition ``which`` is true."""
        sql = f"""SELECT EXISTS (
            SELECT FROM zeke_jobs.queue WHERE state = 'queued' AND deaths = 0 AND queue_name = 'default' AND task = t AND {which}
          ) OR EXISTS (SELECT FROM zeke_jobs.queue WHERE state = 'consumed' AND task = t AND {which})
          FROM (SELECT %s::text AS t) AS asked"""
        with transaction(conn):
            query(conn, "SET LOCAL enable_seqscan = off")
            return bool(scalar(conn, sql, task))

    def clear(self, conn: Connection) -> None:
        # Jobs that a worker is claiming are not deleted.
        sql = """DELETE FROM zeke_jobs.queue WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM zeke_jobs.queue WHERE state = 'queued' FOR UPDATE SKIP LOCKED))"""
        query(conn, sql)

    def completions(self, conn: Connection, since: float) -> list[float]:
        """Return the sorted end times of jobs from ``since`` on, in seconds since the epoch."""
        sql = """SELECT extract(epoch FROM completed_on)::double precision FROM zeke_jobs.queue
            WHERE state = 'done' AND completed_on >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in query(conn, sql, since)]

    def send_rate(self, seconds: float, at_once: int) -> float:
        os.environ["DATABASE_URL"] = self.url
        return calls_a_second(lambda n: zeke_jobs.send(FREE, {"n": n}), at_once, seconds)


def multiply(conn: Connection, job: Any, count: int, **instead: str) -> None:
    """Copy a job's row ``count`` times with new ids and sequence numbers; ``instead`` is SQL for some columns."""
    sql = """SELECT column_name FROM information_schema.columns WHERE table_schema = 'zeke_jobs' AND table_name = 'queue'
        AND is_generated = 'NEVER' AND is_identity = 'NO'"""
    source = {
        **{name: f"q.{name}" for (name,) in query(conn, sql)},
        "message_id": "new.id",
        "message": "jsonb_set(q.message, '{message_id}', to_jsonb(new.id))",
        "run_at": "clock_timestamp()",
        **instead,
    }
    copied = f"""INSERT INTO zeke_jobs.queue ({", ".join(source)})
        SELECT {", ".join(source.values())} FROM zeke_jobs.queue AS q,
          LATERAL (SELECT zeke_jobs.new_id() AS id, n FROM generate_series(1, %s) AS n OFFSET 0) AS new
        WHERE q.message_id = %s"""
    query(conn, copied, count, job)


def calls_a_second(call: Callable[[int], object], threads: int, seconds: float) -> float:
    """Let each thread call ``call`` repeatedly; return the calls a second, without each thread's first call."""
    ready = Barrier(threads, timeout=120)

    def work(_: int) -> float:
        call(0)
        ready.wait()
        begin, count = time.perf_counter(), 0
        while (took := time.perf_counter() - begin) < seconds:
            call(count)
            count += 1
        return count / took

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))
