"""A server on loopback that speaks in lines, for mail: a thread for each connection, in the clear or over TLS."""

import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Self


class Talk:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self.is_encrypted = connection, False
        self._file = connection.makefile("rb")

    def encrypt(self, tls: ssl.SSLContext) -> None:
        self._connection, self.is_encrypted = tls.wrap_socket(self._connection, server_side=True), True
        self._file = self._connection.makefile("rb")

    def line(self) -> bytes:
        """What the caller says next, with the end of its line; nothing once it is gone."""
        return self._file.readline()

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def close(self) -> None:
        self._connection.close()


@dataclass
class LineServer:
    """``with`` it runs, on its ``port``; a subclass has a ``serve``."""

    tls: ssl.SSLContext | None = None
    port: int = 0

    def serve(self, talk: Talk) -> None:
        """Talk until the caller has enough."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                talk = Talk(self.request)
                with suppress(OSError):  # the caller left
                    owner.serve(talk)
                talk.close()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
