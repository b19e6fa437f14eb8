"""pgqueuer with asyncpg, an async entrypoint, and a batch size that the bench chooses."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

import asyncpg  # type: ignore[import-not-found, import-untyped, unused-ignore] # only in the bench's environment
from pgqueuer import PgQueuer  # type: ignore[import-not-found, unused-ignore]
from pgqueuer.db import AsyncpgDriver  # type: ignore[import-not-found, unused-ignore]
from pgqueuer.queries import Queries  # type: ignore[import-not-found, unused-ignore]

from tests.lab.bench import server

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.processes import Fleet


async def _work() -> None:
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["BENCH_URL"])))

    @pgq.entrypoint("no_op")  # type: ignore[untyped-decorator, unused-ignore]
    async def no_op(_job: Any) -> None:
        pass

    await pgq.run(batch_size=int(os.environ["BENCH_BATCH"]))


async def _install(url: str) -> None:
    connection = await asyncpg.connect(url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def _send_at_once(url: str, seconds: float, at_once: int) -> float:
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


async def _send(url: str, seconds: float, batch: int) -> float:
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))

    async def send(n: int) -> None:
        if batch == 1:
            await queries.enqueue("no_op", b'{"n": %d}' % n)
        else:
            payloads: list[bytes | None] = [b'{"n": %d}' % i for i in range(batch)]
            await queries.enqueue(["no_op"] * batch, payloads, [0] * batch)

    await send(0)
    count, begin = 0, time.perf_counter()
    while time.perf_counter() < begin + seconds:
        await send(count)
        count += batch
    took = time.perf_counter() - begin
    await connection.close()
    return count / took


class System:
    """See ``tests.lab.bench.drain.System``."""

    def __init__(self, url: str, batch: int = 100) -> None:
        self.url = url
        self.batch = batch
        self.name = f"pgqueuer, batch {batch}"
        asyncio.run(_install(url))

    def start(self, fleet: Fleet) -> None:
        for _ in range(2):
            fleet.run(["python", "-m", __name__], {"BENCH_URL": self.url, "BENCH_BATCH": str(self.batch)})

    def ready(self, conn: Connection) -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return int(server.scalar(conn, sql)) >= 2

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """Its trigger rings once for the statement; its log gets a row for each job, as from its own ``enqueue``."""
        server.run(
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
        return bool(server.scalar(conn, "SELECT EXISTS (SELECT FROM pgqueuer)"))

    def completions(self, conn: Connection, since: float) -> list[float]:
        sql = """SELECT extract(epoch FROM created)::double precision FROM pgqueuer_log
            WHERE status = 'successful' AND created >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in server.rows(conn, sql, since)]

    def send_rate(self, seconds: float) -> float:
        """Sends a second, one by one."""
        return asyncio.run(_send(self.url, seconds, 1))

    def send_rate_at_once(self, seconds: float, at_once: int) -> float:
        """Sends a second over so many connections of one program."""
        return asyncio.run(_send_at_once(self.url, seconds, at_once))

    def send_many_rate(self, seconds: float, batch: int) -> float | None:
        """Jobs a second, in batches."""
        return asyncio.run(_send(self.url, seconds, batch))


if __name__ == "__main__":
    asyncio.run(_work())
