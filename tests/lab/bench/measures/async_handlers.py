"""Two hundred handlers each wait a second for a server, on one event loop and in threads."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.fleet import scalar
from tests.lab.bench.bench import Bench, Running, row
from tests.lab.bench.ours import HANDLERS
from tests.lab.bench.result import Row

AT_ONCE = 200
_MIB = 1024 * 1024
_WAITS = 1.0  # The server answers after _WAITS seconds.
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_HANDLERS = {
    "async": ("ask", "AsyncWeb"),
    "async without httpx": ("ask_by_streams", "Streams"),
    "threads": ("ask_in_thread", "Web"),
}
_PID = "SELECT pid FROM zeke_jobs.worker WHERE kind = 'worker'"
_ACTIVE = "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed'"


class LateServer:
    """The server answers each request after a second; ``connections`` counts the connections of clients."""

    def __init__(self) -> None:
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._begun.wait()

    def _run(self) -> None:
        listening = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        self._begun.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(_WAITS)
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


def measure(bench: Bench) -> list[Row]:
    """Measure jobs a second, connections, memory and the time of a stop, for async handlers and for threads."""
    rows = []
    for kind, threads in (("async", 8), ("async without httpx", 8), ("threads", AT_ONCE)):
        with _waiting(bench, kind, threads) as (up, late, worker):
            up.drain(AT_ONCE, task="ask")  # The first burst opens the client and its connections.
            drains = [up.drain(AT_ONCE * (5 if bench.quick else 20), task="ask") for _ in range(bench.rounds)]
            memory = worker.memory_info().rss / _MIB
            rows += [
                row(f"{AT_ONCE} handlers that wait 1 s, {kind}", drains),
                Row(f"connections to the server, {kind}", late.connections, ""),
                Row(f"memory of the process, {kind}", memory, "MiB", most=None if kind == "threads" else 150),
            ]
        if kind != "async without httpx":
            stops = [_stop(bench, kind, threads) for _ in range(5 if bench.quick else 20)]
            note = f"median {statistics.median(stops):.2f} s; of {len(stops)}, each with {AT_ONCE} handlers that wait"
            most = 2.0 if kind == "async" else None
            rows.append(Row(f"slowest stop, {kind}", max(stops), "s", most=most, note=note))
    return rows


@contextmanager
def _waiting(bench: Bench, kind: str, threads: int) -> Iterator[tuple[Running, LateServer, psutil.Process]]:
    """Start the server, and a worker process whose handlers wait for it."""
    late = LateServer()
    handler, web = _HANDLERS[kind]
    text = (
        f"version: 1\nservices:\n  web: {{use: '{HANDLERS}:{web}', url: '{late.url}'}}\n"
        f"tasks:\n  ask: {{handler: '{HANDLERS}:{handler}'}}\n"
    )
    with bench.running(bench.installation(f"waiting_{handler}", text), processes=1, threads=threads) as up:
        yield up, late, psutil.Process(int(scalar(up.conn, _PID)))
    late.close()


def _stop(bench: Bench, kind: str, threads: int) -> float:
    """Return the seconds from SIGTERM to the end of the worker process while all handlers wait."""
    with _waiting(bench, kind, threads) as (up, _, worker):
        up.system.seed(up.conn, 5 * AT_ONCE, task="ask")
        up.fleet.until(lambda: int(scalar(up.conn, _ACTIVE)) == AT_ONCE, every=0.01)
        time.sleep(_WAITS / 2)
        began = time.monotonic()
        up.fleet.commands[0].process.terminate()
        worker.wait(60)
        took = time.monotonic() - began
        up.fleet.commands[0].stop()
    return took
