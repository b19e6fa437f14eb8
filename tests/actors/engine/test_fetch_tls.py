import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from actors.engine.contract import EngineError
from actors.engine.fetch import Fetcher, Limits

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to make a certificate")

LIMITS = Limits(body_bytes=100_000, raw_bytes=200_000, seconds=1.5)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``named.example``, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem "
        "-subj /CN=named.example -addext subjectAltName=DNS:named.example"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


@contextmanager
def serving(certificate: Path, head: bytes, piece: bytes = b"", pause: float = 0.05) -> Iterator[int]:
    """Answers one caller over TLS, then sends ``piece`` again and again where there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        raw, _ = listener.accept()
        with suppress(OSError), raw, context.wrap_socket(raw, server_side=True) as caller:
            caller.recv(65536)
            caller.sendall(head)
            while piece and not stop.wait(pause):
                caller.sendall(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.fixture
def fetcher(certificate: Path) -> Fetcher:
    made = Fetcher("tests/1", (ip_network("127.0.0.0/8"),), lambda _host, _port: ["127.0.0.1"])
    made.__dict__["_tls"] = ssl.create_default_context(cafile=str(certificate))
    return made


def test_tls_is_spoken_with_the_name_though_the_address_is_connected_to(fetcher: Fetcher, certificate: Path) -> None:
    with serving(certificate, HEAD + b"Content-Length: 2\r\n\r\nok") as port:
        assert fetcher.get(f"https://named.example:{port}/", LIMITS).body == b"ok"


def test_a_certificate_for_another_name_is_refused(fetcher: Fetcher, certificate: Path) -> None:
    with serving(certificate, HEAD + b"Content-Length: 2\r\n\r\nok") as port, pytest.raises(EngineError) as caught:
        fetcher.get(f"https://other.example:{port}/", LIMITS)
    assert caught.value.code == "fetch_failed"


def test_a_server_that_drips_over_tls_is_left_at_the_deadline(fetcher: Fetcher, certificate: Path) -> None:
    started = time.monotonic()
    with serving(certificate, HEAD + b"\r\n", b"x") as port, pytest.raises(EngineError) as caught:
        fetcher.get(f"https://named.example:{port}/", LIMITS)
    assert caught.value.code == "timeout"
    assert time.monotonic() - started < LIMITS.seconds + 1
