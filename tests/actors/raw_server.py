"""These servers on loopback send raw bytes or use a protocol of text lines, with or without TLS."""

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to make a certificate")


def nobody() -> str:
    """Return an address on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def raw_server(*pieces: bytes, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Yield the port of a server that sends the pieces to one client, then repeats the last piece with pauses."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        plain, _ = listener.accept()
        with suppress(OSError), plain, tls.wrap_socket(plain, server_side=True) if tls else plain as caller:
            caller.recv(65536)
            for piece in pieces:
                caller.sendall(piece)
            while not stop.wait(pause):
                caller.sendall(pieces[-1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for ``name`` with openssl; return its file, and the server's TLS context."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command.split(), *subject], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


class Talk:
    def __init__(self, connection: socket.socket) -> None:
        self._connection, self.is_encrypted = connection, False
        self._file = connection.makefile("rb")

    def encrypt(self, tls: ssl.SSLContext) -> None:
        self._connection, self.is_encrypted = tls.wrap_socket(self._connection, server_side=True), True
        self._file = self._connection.makefile("rb")

    def line(self) -> bytes:
        """Read the caller's next line; return nothing if the caller has disconnected."""
        return self._file.readline()

    def say(self, data: bytes) -> None:
        self._connection.sendall(data)

    def close(self) -> None:
        self._connection.close()


@dataclass
class LineServer:
    """Inside a ``with`` block the server runs on ``port``; a subclass defines ``serve``."""

    tls: ssl.SSLContext | None = None
    port: int = 0

    def serve(self, talk: Talk) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                talk = Talk(self.request)
                with suppress(OSError):  # The caller may disconnect.
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
