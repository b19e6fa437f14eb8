"""A TCP proxy before the server's socket can stop forwarding, like a stalled network."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

_LOOK = 0.1  # The proxy checks its sockets every _LOOK seconds.


class Proxy:
    """While ``stalled`` is set, the proxy accepts connections on loopback and forwards nothing."""

    def __init__(self, url: str) -> None:
        self.stalled = threading.Event()
        self._server = parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query=""))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(10)
        for key in list(self._selector.get_map().values()):
            with suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr] # only sockets are registered
        self._selector.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self.stalled.is_set():
                self._closing.wait(_LOOK)
                continue
            for key, _ in self._selector.select(_LOOK):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr] # the other socket may have closed both
                    self._forward(key.fileobj, key.data)  # type: ignore[arg-type] # the object is a socket

    def _accept(self) -> None:
        ours, _ = self._listener.accept()
        theirs = socket.socket(socket.AF_UNIX)
        try:
            theirs.connect(self._server)
        except OSError:
            ours.close()
            theirs.close()
            return
        self._selector.register(ours, selectors.EVENT_READ, theirs)
        self._selector.register(theirs, selectors.EVENT_READ, ours)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        for sock in (source, target):
            self._selector.unregister(sock)
            sock.close()
