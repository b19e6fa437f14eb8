"""oban for Python, as its README embeds it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from oban import Oban, worker  # type: ignore[import-not-found, unused-ignore] # only in the bench's environment
from oban.schema import install  # type: ignore[import-not-found, unused-ignore]
from psycopg_pool import AsyncConnectionPool  # type: ignore[import-not-found, unused-ignore]

from tests.lab.bench import server

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.processes import Fleet


@worker(queue="default")  # type: ignore[untyped-decorator, unused-ignore]
class NoOp:
    async def process(self, _job: Any) -> None:
        pass


def _job(n: int) -> Any:
    new: Any = NoOp.new  # type: ignore[attr-defined, unused-ignore] # the decorator adds it
    return new({"n": n})


def _pool(url: str) -> Any:
    return AsyncConnectionPool(conninfo=url, min_size=2, max_size=10, open=False)


async def _work() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with _pool(os.environ["BENCH_URL"]) as pool, Oban(pool=pool, queues={"default": 8}):
        await stopped.wait()


async def _install(url: str) -> None:
    async with _pool(url) as pool:
        await install(pool)


async def _send(url: str, seconds: float, batch: int) -> float:
    async with _pool(url) as pool:
        oban = Oban(pool=pool)

        async def send(n: int) -> None:
            if batch == 1:
                await oban.enqueue(_job(n))
            else:
                await oban.enqueue_many([_job(i) for i in range(batch)])

        await send(0)
        count, begin = 0, time.perf_counter()
        while time.perf_counter() < begin + seconds:
            await send(count)
            count += batch
        return count / (time.perf_counter() - begin)


class System:
    """See ``tests.lab.bench.drain.System``."""

    name = "oban"

    def __init__(self, url: str) -> None:
        self.url = url
        asyncio.run(_install(url))

    def start(self, fleet: Fleet) -> None:
        for _ in range(2):
            fleet.run(["python", "-m", __name__], {"BENCH_URL": self.url})

    def ready(self, conn: Connection) -> bool:
        return int(server.scalar(conn, "SELECT count(*) FROM oban_producers")) >= 2

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """Rows, and the NOTIFY of its ``insert_job``."""
        server.run(
            conn,
            """WITH inserted AS (
              INSERT INTO oban_jobs (queue, worker, args, max_attempts)
              SELECT 'default', %s, jsonb_build_object('n', n), 20 FROM generate_series(1, %s) AS n RETURNING queue
            ) SELECT pg_notify('oban_insert', '{"queue":"' || queue || '"}') FROM (SELECT DISTINCT queue FROM inserted) AS q""",
            f"{NoOp.__module__}.{NoOp.__qualname__}",
            count,
        )

    def left(self, conn: Connection, **_: Any) -> bool:
        sql = "SELECT EXISTS (SELECT FROM oban_jobs WHERE state IN ('available', 'executing'))"
        return bool(server.scalar(conn, sql))

    def completions(self, conn: Connection, since: float) -> list[float]:
        sql = """SELECT extract(epoch FROM completed_at)::double precision FROM oban_jobs
            WHERE state = 'completed' AND completed_at >= to_timestamp(%s) AT TIME ZONE 'UTC' ORDER BY 1"""
        return [row[0] for row in server.rows(conn, sql, since)]

    def send_rate(self, seconds: float) -> float:
        """Sends a second, one by one."""
        return asyncio.run(_send(self.url, seconds, 1))

    def send_many_rate(self, seconds: float, batch: int) -> float | None:
        """Jobs a second, in batches."""
        return asyncio.run(_send(self.url, seconds, batch))


if __name__ == "__main__":
    asyncio.run(_work())
