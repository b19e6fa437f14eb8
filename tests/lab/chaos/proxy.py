"""A TCP proxy in front of the server's socket can stop forwarding, like a stalled network."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Proxy:
    """While ``stalled`` is set, the proxy accepts connections on loopback and forwards nothing."""

    def __init__(self, url: str) -> None:
        self.stalled = threading.Event()
        self._path = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query=""))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._listening:
            self._listening.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):  # The proxy has ended.
            while True:
                (ours, _), theirs = self._listening.accept(), socket.socket(socket.AF_UNIX)
                theirs.connect(self._path)
                for ends in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with source:
            with suppress(OSError):
                while data := source.recv(65536):
                    while self.stalled.is_set():
                        time.sleep(0.05)
                    target.sendall(data)
            with suppress(OSError):
                target.shutdown(socket.SHUT_RDWR)
