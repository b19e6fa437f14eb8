"""A TCP proxy before the server's socket can stop forwarding, like a stalled network."""

import asyncio
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Proxy:
    """While ``stalled`` is set, the proxy accepts connections on loopback and forwards nothing."""

    def __init__(self, url: str) -> None:
        self.stalled = threading.Event()
        self._path = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        port = self._server.sockets[0].getsockname()[1]
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query=""))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join()
        self._loop.close()

    def _end(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.1, self._loop.stop)  # The connections are closed by then.

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            theirs, to_them = await asyncio.open_unix_connection(self._path)
            try:
                await asyncio.gather(self._forward(reader, to_them), self._forward(theirs, writer))
            finally:
                to_them.close()
        writer.close()

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            while self.stalled.is_set():  # noqa: ASYNC110 (another thread sets it)
                await asyncio.sleep(0.05)
            target.write(data)
            await target.drain()
        target.close()
