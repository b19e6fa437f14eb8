"""awa with async handlers, on the storage that it takes for a new database."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import awa  # type: ignore[import-not-found, unused-ignore] # only in the bench's environment

from tests.lab.bench import server

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.processes import Fleet

_QUEUE = "default"
_AT_ONCE = 64  # jobs of a process; with eight it is slower
_BATCH = 5_000


@dataclass
class NoOp:
    """Its payload."""

    n: int


async def _work() -> None:
    client = awa.AsyncClient(os.environ["BENCH_URL"])

    @client.task(NoOp, queue=_QUEUE)  # type: ignore[untyped-decorator, unused-ignore]
    async def no_op(_job: Any) -> None:
        pass

    # By default it forgets within a second when a job ended, and the bench could not read it.
    await client.start([(_QUEUE, _AT_ONCE)], queue_storage_queue_rotate_interval_ms=600_000)
    await asyncio.Event().wait()


async def _send(url: str, seconds: float, batch: int) -> float:
    async with awa.AsyncClient(url) as client:

        async def send(n: int) -> None:
            if batch == 1:
                await client.insert(NoOp(n), queue=_QUEUE)
            else:
                await client.enqueue_many_copy([NoOp(i) for i in range(batch)], queue=_QUEUE)

        await send(0)
        count, begin = 0, time.perf_counter()
        while time.perf_counter() < begin + seconds:
            await send(count)
            count += batch
        return count / (time.perf_counter() - begin)


class System:
    """See ``tests.lab.bench.drain.System``."""

    name = "awa"

    def __init__(self, url: str) -> None:
        self.url = url
        self._seeded = 0
        # Its driver reads the socket's folder where others have the host.
        parts = urlsplit(url)
        folder = parse_qs(parts.query)["host"][0]
        self._its_url = f"postgresql://{parts.username}@{quote(folder, safe='')}{parts.path}"
        asyncio.run(self._install())

    async def _install(self) -> None:
        async with awa.AsyncClient(self._its_url) as client:
            await client.migrate()
            await client.install_queue_storage()

    def start(self, fleet: Fleet) -> None:
        for _ in range(2):
            fleet.run(["python", "-m", __name__], {"BENCH_URL": self._its_url})

    def ready(self, conn: Connection) -> bool:
        return int(server.scalar(conn, "SELECT count(*) FROM awa.runtime_instances")) >= 2

    def seed(self, conn: Connection, count: int, **_: Any) -> None:
        """By its own call, some thousands at a time, because a job is not a row in one table."""
        asyncio.run(self._seed(count))
        self._seeded += count

    async def _seed(self, count: int) -> None:
        async with awa.AsyncClient(self._its_url) as client:
            for begin in range(0, count, _BATCH):
                await client.enqueue_many_copy(
                    [NoOp(n) for n in range(begin, min(count, begin + _BATCH))], queue=_QUEUE
                )

    def left(self, conn: Connection, **_: Any) -> bool:
        sql = """SELECT coalesce(sum(cardinality(job_ids)), 0) + (SELECT count(*) FROM awa.done_entries)
            FROM awa.receipt_completion_batches"""
        return int(server.scalar(conn, sql)) < self._seeded

    def completions(self, conn: Connection, since: float) -> list[float]:
        sql = """SELECT extract(epoch FROM e.ended)::double precision FROM (
              SELECT b.finalized_at AS ended FROM awa.receipt_completion_batches AS b CROSS JOIN unnest(b.job_ids)
              UNION ALL SELECT finalized_at FROM awa.done_entries
            ) AS e WHERE e.ended >= to_timestamp(%s) ORDER BY 1"""
        return [row[0] for row in server.rows(conn, sql, since)]

    def send_rate(self, seconds: float) -> float:
        """Sends a second, one by one."""
        return asyncio.run(_send(self._its_url, seconds, 1))

    def send_many_rate(self, seconds: float, batch: int) -> float | None:
        """Jobs a second, in batches."""
        return asyncio.run(_send(self._its_url, seconds, batch))


if __name__ == "__main__":
    asyncio.run(_work())
