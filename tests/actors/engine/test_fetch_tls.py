import shutil
import ssl
import time
from ipaddress import ip_network

import pytest

from actors.engine.fetch import Fetcher, Limits
from tests.actors.engine.conftest import failure
from tests.actors.raw_server import certificate, raw_server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to make a certificate")

LIMITS = Limits(body_bytes=100_000, raw_bytes=200_000, seconds=1.5)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fetcher, ssl.SSLContext]:
    """One who knows the certificate of ``named.example``, and the server's side of it."""
    file, context = certificate(tmp_path_factory.mktemp("tls"), "named.example")
    fetcher = Fetcher("tests/1", (ip_network("127.0.0.0/8"),), lambda _host, _port: ["127.0.0.1"])
    fetcher.__dict__["_tls"] = ssl.create_default_context(cafile=str(file))
    return fetcher, context


def test_tls_is_spoken_with_the_name_though_the_address_is_connected_to(shown: tuple[Fetcher, ssl.SSLContext]) -> None:
    fetcher, tls = shown
    with raw_server(WHOLE, pause=0.05, tls=tls) as port:
        assert fetcher.get(f"https://named.example:{port}/", LIMITS).body == b"ok"
    with raw_server(WHOLE, pause=0.05, tls=tls) as port:
        assert failure(fetcher.get, f"https://other.example:{port}/", LIMITS).code == "fetch_failed"


def test_a_server_that_drips_over_tls_is_left_at_the_deadline(shown: tuple[Fetcher, ssl.SSLContext]) -> None:
    fetcher, tls = shown
    started = time.monotonic()
    with raw_server(HEAD + b"\r\n", b"x", pause=0.05, tls=tls) as port:
        assert failure(fetcher.get, f"https://named.example:{port}/", LIMITS).code == "timeout"
    assert time.monotonic() - started < LIMITS.seconds + 1
