"""A server on loopback that sends bytes as they are, also over TLS, and a certificate for it."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def raw_server(*pieces: bytes, pause: float = 0.0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Sends the pieces to its caller, a pause after each, the last one for ever; answers its port."""
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
    """A certificate of this name, made by openssl, and what a server needs to show it."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command.split(), *subject], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context
