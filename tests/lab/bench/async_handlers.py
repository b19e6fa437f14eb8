"""Two hundred handlers each wait a second for a server, on one event loop and in threads."""

import asyncio
import threading

import psutil

from tests.fleet import scalar
from tests.lab.bench.bench import Bench, row
from tests.lab.bench.ours import HANDLERS
from tests.lab.server import Row

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


def measure(bench: Bench) -> list[Row]:
    """Measure jobs a second, connections and memory, for async handlers and for threads."""
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
