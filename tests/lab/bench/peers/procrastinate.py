"""procrastinate as its documentation runs it: its command line, an async task."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import procrastinate  # type: ignore[import-not-found, unused-ignore] # only in the bench's environment
import psycopg2

from tests.lab.bench import server

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.processes import Fleet


def declare(connector: Any) -> tuple[Any, Any]:
    """An app with one task that does nothing."""
    app = procrastinate.App(connector=connector)

    @app.task(name="no_op")  # type: ignore[untyped-decorator, unused-ignore]
    async def no_op(n: int) -> None:
        pass

    return app, no_op


if os.environ.get("BENCH_URL"):  # this module is what the command line loads
    app, _ = declare(procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_URL"]))


class System:
    """See ``tests.lab.bench.drain.System``."""

    name = "procrastinate"

    def __init__(self, url: str) -> None:
        self.url = url
        with closing(psycopg2.connect(url)) as conn, conn, conn.cursor() as cursor:
            cursor.execute(procrastinate.schema.SchemaManager.get_schema())

    def start(self, fleet: Fleet) -> None:
        for _ in range(2):
            fleet.run(["procrastinate", f"--app={__name__}.app", "worker", "--concurrency=8"], {"BENCH_URL": self.url})

    def ready(self, conn: Connection) -> bool:
        return int(server.scalar(conn, "SELECT count(*) FROM procrastinate_workers")) >= 2

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """Its trigger rings for each row."""
        server.run(
            conn,
            """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
            SELECT 'default', 'no_op', jsonb_build_object('n', n) FROM generate_series(1, %s) AS n""",
            count,
        )

    def left(self, conn: Connection, **_: Any) -> bool:
        sql = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))"
        return bool(server.scalar(conn, sql))

    def completions(self, conn: Connection, since: float) -> list[float]:
        sql = """SELECT extract(epoch FROM at)::double precision FROM procrastinate_events
            WHERE type = 'succeeded' AND at >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in server.rows(conn, sql, since)]

    def send_rate(self, seconds: float) -> float:
        """Sends a second, one by one."""
        app, task = declare(procrastinate.SyncPsycopgConnector(conninfo=self.url))
        with app.open():
            task.defer(n=0)
            count, begin = 0, time.perf_counter()
            while time.perf_counter() < begin + seconds:
                task.defer(n=count)
                count += 1
            return count / (time.perf_counter() - begin)

    def send_many_rate(self, seconds: float, batch: int) -> float | None:
        """Jobs a second, in batches."""
        app, task = declare(procrastinate.SyncPsycopgConnector(conninfo=self.url))
        with app.open():
            task.batch_defer(*({"n": n} for n in range(batch)))
            count, begin = 0, time.perf_counter()
            while time.perf_counter() < begin + seconds:
                task.batch_defer(*({"n": n} for n in range(batch)))
                count += batch
            return count / (time.perf_counter() - begin)
