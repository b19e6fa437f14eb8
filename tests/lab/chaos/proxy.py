"""A TCP proxy before the server's socket can stop forwarding, like a stalled network."""

import socket
import threading
import time
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Proxy:
    """While ``stalled`` is set, the proxy accepts connections on loopback and forwards nothing."""

    def __init__(self, url: str) -> None:
        self.stalled = threading.Event()
        self._path = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"
        self._sockets: list[socket.socket] = []
        self._server = ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        port = self._server.server_address[1]
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query=""))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._end(*self._sockets)

    def _handler(owner) -> type[BaseRequestHandler]:  # noqa: N805 (the handler has a self of its own)
        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.socket(socket.AF_UNIX) as theirs:
                    theirs.connect(owner._path)
                    owner._sockets += [self.request, theirs]
                    threading.Thread(target=owner._forward, args=(theirs, self.request), daemon=True).start()
                    owner._forward(self.request, theirs)

        return Handler

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                while self.stalled.is_set() and target.fileno() >= 0:
                    time.sleep(0.05)
                target.sendall(data)
        self._end(source, target)

    def _end(self, *ended: socket.socket) -> None:
        for one in ended:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
