"""pgqueuer runs with asyncpg, an async entrypoint, and 500 jobs at once, which is its fastest setting in this bench."""

import asyncio
import os
import time
from typing import Any

import asyncpg  # type: ignore[import-not-found, import-untyped, unused-ignore] # only in the bench's environment
from pgqueuer import PgQueuer  # type: ignore[import-not-found, unused-ignore]
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found, unused-ignore]
from pgqueuer.queries import Queries  # type: ignore[import-not-found, unused-ignore]
from psycopg2.extensions import connection as Connection

from tests.fleet import Fleet, query, scalar

_BATCH = 500


async def _work() -> None:
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["BENCH_URL"])))

    @pgq.entrypoint("no_op")  # type: ignore[untyped-decorator, unused-ignore]
    async def no_op(_job: Any) -> None:
        pass

    await pgq.run(batch_size=_BATCH)


async def _install(url: str) -> None:
    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def _send(url: str, seconds: float, at_once: int) -> float:
    connections = [await asyncpg.connect(url) for _ in range(at_once)]
    counts = [0] * at_once

    async def work(which: int) -> None:
        queries = Queries(AsyncpgDriver(connections[which]))
        while time.perf_counter() < end:
            await queries.enqueue("no_op", b'{"n": %d}' % counts[which])
            counts[which] += 1

    for connection in connections:
        await Queries(AsyncpgDriver(connection)).enqueue("no_op", b"{}")
    begin = time.perf_counter()
    end = begin + seconds
    await asyncio.gather(*map(work, range(at_once)))
    took = time.perf_counter() - begin
    for connection in connections:
        await connection.close()
    return sum(counts) / took


class System:
    """This system has the methods of ``tests.lab.bench.ours.Installation``."""

    def __init__(self, url: str) -> None:
        self.url = url
        asyncio.run(_install(url))

    def start(self, fleet: Fleet) -> None:
        for _ in range(2):
            fleet.run("python", "-m", __name__, BENCH_URL=self.url)

    def ready(self, conn: Connection) -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return int(scalar(conn, sql)) >= 2

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """Insert jobs and log rows as pgqueuer's ``enqueue`` does; the trigger notifies once for the statement."""
        query(
            conn,
            """WITH inserted AS (
              INSERT INTO pgqueuer (entrypoint, payload, priority, status)
              SELECT 'no_op', convert_to('{"n": ' || n || '}', 'UTF8'), 0, 'queued' FROM generate_series(1, %s) AS n
              RETURNING id, status, entrypoint, priority
            ) INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)
            SELECT id, status, entrypoint, priority FROM inserted""",
            count,
        )

    def left(self, conn: Connection, **_: Any) -> bool:
        return bool(scalar(conn, "SELECT EXISTS (SELECT FROM pgqueuer)"))

    def completions(self, conn: Connection, since: float) -> list[float]:
        sql = """SELECT extract(epoch FROM created)::double precision FROM pgqueuer_log
            WHERE status = 'successful' AND created >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in query(conn, sql, since)]

    def send_rate(self, seconds: float, at_once: int) -> float:
        return asyncio.run(_send(self.url, seconds, at_once))


if __name__ == "__main__":
    asyncio.run(_work())
