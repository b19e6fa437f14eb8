"""These measures give a claim's cost on the server, a job's wait in an idle system, and the cost of handlers that wait.

A statement's cost is the CPU time of its server process. To compare two checkouts, run the bench alternately.
"""

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import psutil
from psycopg2.extensions import connection as Connection
from psycopg2.extras import register_uuid

import zeke_jobs
from tests.fleet import scalar
from tests.lab.bench.bench import Bench, row
from tests.lab.bench.ours import FREE, HANDLERS, NAP
from tests.lab.server import Row, middle
from zeke_jobs import config
from zeke_jobs.postgres.pool import connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.answer import ask
from zeke_jobs.worker.claim.claims import JobMessage
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.finish.writer import Ending

_TASK = "story-summarize"
_AT_ONCE = 8


class Session:
    """The session sends the statements of a worker process over one connection."""

    def __init__(self, conn: Connection, tasks: list[str]) -> None:
        self._conn, self._id, self._tasks = conn, uuid.uuid4(), tasks
        self._backend = psutil.Process(conn.info.backend_pid)
        register_uuid(conn_or_curs=conn)  # type: ignore[no-untyped-call]
        row = {"kind": "worker", "host": "here", "pid": 1, "version": "1", "lost_after": timedelta(hours=1)}
        SQL.run(
            conn, "worker/register",
            id=self._id, queues=["default"], tasks=tasks, threads=_AT_ONCE, revision=1, file_revision=1, **row,
        )  # fmt: skip

    def send(self) -> None:
        zeke_jobs.send(_TASK, {"n": 1}, connection=self._conn)

    def look(self, ended: list[Ending] | None = None) -> list[Ending]:
        """Complete the claimed jobs, and claim more jobs."""
        of = self._conn, self._id, self._tasks, "default", _AT_ONCE, (_AT_ONCE, 0)
        answer = ask(*of, is_empty=False, revision=1, completions=ended or [])
        return [(JobMessage(row, "default", 0.0).claim, Outcome("completed", "null")) for row in answer.jobs]

    def cycle(self) -> None:
        self.send()
        self.look(self.look())

    def drain(self) -> None:
        held = self.look()
        while held:
            held = self.look(held)

    def cost(self, times: int, call: Callable[[], Any]) -> float:
        """Return the microseconds of CPU that the session's process uses for one call."""
        before = sum(self._backend.cpu_times()[:2])
        for _ in range(times):
            call()
        return (sum(self._backend.cpu_times()[:2]) - before) / times * 1e6


def server_cost(bench: Bench) -> list[Row]:
    """Measure several hundred milliseconds of CPU for each figure, because Linux counts CPU time in ticks of 10 ms."""
    installation = bench.installation({})
    times = 600 if bench.quick else 3_000
    found: dict[str, list[float]] = {}
    with closing(connect(installation.url)) as conn:
        session = Session(conn, list(config.load(installation.path).tasks))
        for _ in range(60):
            session.cycle()
        for _ in range(bench.rounds):
            costs: dict[str, Callable[[], float]] = {
                "a look that finds nothing": lambda: session.cost(3 * times, session.look),
                "a send": lambda: session.cost(times, session.send),
                # This runs the jobs that the measure before it has just sent.
                "a job of a drain by eight": lambda: session.cost(1, session.drain) / times,
                "send, look, completion and look": lambda: session.cost(times, session.cycle),
            }
            for what, cost in costs.items():
                found.setdefault(what, []).append(cost())
    bench.server.drop(installation.url)
    return [middle(what, rounds, unit="µs") for what, rounds in found.items()]


def latency(bench: Bench) -> list[Row]:
    """Measure the time from the call of ``send`` until the handler runs, while every thread of the worker is idle."""
    chance, samples = random.Random(1), []
    with bench.running(bench.installation({FREE: NAP})) as up:
        for _ in range(65 if bench.quick else 505):
            # During this pause, the worker becomes idle. The random length keeps calls of ``send`` out of step with timers.
            time.sleep(chance.uniform(0.05, 0.15))
            sent = time.time()
            job = zeke_jobs.send(FREE, connection=up.conn).id
            # Unlike ``zeke_jobs.wait``, this query does not change the job's row.
            sql = "SELECT result FROM zeke_jobs.queue WHERE message_id = %s"
            start = up.fleet.until(partial(scalar, up.conn, sql, str(job)), every=0.02)
            samples.append((start - sent) * 1e3)
    samples = sorted(samples[5:])
    p50, p99 = samples[len(samples) // 2], samples[int(len(samples) * 0.99)]
    slow = f"{sum(s > 100 for s in samples)} of {len(samples)} above 100 ms; the longest {samples[-1]:.0f} ms"
    return [Row("send → handler, p50", p50, "ms", most=4), Row("send → handler, p99", p99, "ms", most=12, note=slow)]


# ── two hundred handlers each wait a second for a server, on one event loop and in threads

AT_ONCE = 200
_WAITS = 1.0  # The server answers after _WAITS seconds.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_KINDS = (
    ("async", "ask", "AsyncWeb", 8),
    ("async without httpx", "ask_by_streams", "Streams", 8),
    ("threads", "ask_in_thread", "Web", AT_ONCE),
)


class LateServer:
    """The server answers each request after a second; ``connections`` counts the connections of clients."""

    def __init__(self) -> None:
        self.connections = 0
        loop = asyncio.new_event_loop()
        listening = loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        threading.Thread(target=loop.run_forever, daemon=True).start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(_WAITS)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def async_handlers(bench: Bench) -> list[Row]:
    """Compare async handlers with handlers in threads: their jobs a second, connections and memory."""
    rows = []
    for kind, handler, web, threads in _KINDS:
        text = (
            f"version: 1\nservices:\n  web: {{use: '{HANDLERS}:{web}', url: '%s'}}\n"
            f"tasks:\n  ask: {{handler: '{HANDLERS}:{handler}'}}\n"
        )
        late = LateServer()
        with bench.running(bench.installation({}, text % late.url), processes=1, threads=threads) as up:
            worker = psutil.Process(int(scalar(up.conn, "SELECT pid FROM zeke_jobs.worker WHERE kind = 'worker'")))
            up.drain(AT_ONCE, task="ask")  # The first burst opens the client and its connections.
            drains = [up.drain(AT_ONCE * (5 if bench.quick else 20), task="ask") for _ in range(bench.rounds)]
            memory, most = worker.memory_info().rss / 2**20, None if kind == "threads" else 150
        rows += [
            row(f"{AT_ONCE} handlers that wait 1 s, {kind}", drains),
            Row(f"connections to the server, {kind}", late.connections, ""),
            Row(f"memory of the process, {kind}", memory, "MiB", most=most),
        ]
    return rows
