import gzip
import shutil
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from actors.engine.fetch import Fetcher, Limits
from tests.actors.engine.conftest import failure
from tests.actors.engine.test_fetch import LIMITS
from tests.actors.raw_server import certificate, raw_server
from tests.actors.scripted_site import Answer, Site

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


@contextmanager
def peak_below(most: int) -> Iterator[None]:
    """The memory that the block takes, in bytes, is less."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "body", "ended"),
    [
        ("gzip", gzip.compress(b"plain") + gzip.compress(b" and more"), b"plain and more"),
        ("deflate", zlib.compress(b"plain " * 100), b"plain " * 100),
        ("br", b"xx", ("unsupported_type", False)),
        ("gzip", gzip.compress(b"plain " * 1000)[:-20], ("fetch_failed", True)),
        ("gzip", gzip.compress(b"a") * 101, ("fetch_failed", True)),
    ],
    ids=["gzip", "deflate", "not asked for", "ends in the middle", "many members"],
)
def test_an_encoding_is_undone_or_refused(
    site: Site, fetcher: Fetcher, encoding: str, body: bytes, ended: bytes | tuple[str, bool]
) -> None:
    site.pages["/"] = Answer(body, headers={"Content-Encoding": encoding})
    if isinstance(ended, bytes):
        assert fetcher.get(site.url, LIMITS).body == ended
    else:
        error = failure(fetcher.get, site.url, LIMITS)
        assert (error.code, error.transient) == ended


def test_a_small_body_that_inflates_to_100_mb_costs_bounded_memory(site: Site, fetcher: Fetcher) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    # Packed twice it would be 16 KB; what matters is that each chunk inflates a thousandfold.
    site.pages["/"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    limits = Limits(body_bytes=1_000_000, raw_bytes=1_000_000, seconds=10)
    with peak_below(8_000_000):
        assert failure(fetcher.get, site.url, limits).code == "too_large"


def test_a_100_mb_page_is_not_read(site: Site, fetcher: Fetcher) -> None:
    site.pages["/"] = Answer(b"x", headers={"Content-Length": "100000000"})
    started = time.monotonic()
    assert failure(fetcher.get, site.url, LIMITS).code == "too_large"
    assert time.monotonic() - started < LIMITS.seconds


def test_bytes_are_counted_on_the_wire_too(fetcher: Fetcher) -> None:
    limits = Limits(body_bytes=100_000_000, raw_bytes=300_000, seconds=5)
    with raw_server(HEAD, b"x" * 65536) as port:
        assert "larger than 300000 bytes" in str(failure(fetcher.get, f"http://127.0.0.1:{port}/", limits))


def test_a_body_without_a_length_ends_at_the_limit_in_bounded_memory(fetcher: Fetcher) -> None:
    started = time.monotonic()
    with peak_below(3 * LIMITS.body_bytes + 2_000_000), raw_server(HEAD, b"x" * 65536) as port:
        assert failure(fetcher.get, f"http://127.0.0.1:{port}/", LIMITS).code == "too_large"
    assert time.monotonic() - started < LIMITS.seconds + 1


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([HEAD, b"x"], id="body"),
        pytest.param([b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"], id="headers"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"], id="a header"),
        pytest.param([b"HTTP/1.1 103 Early Hints\r\n\r\n"], id="hints"),
    ],
)
def test_a_server_that_drips_for_ever_is_left_at_the_deadline(fetcher: Fetcher, pieces: list[bytes]) -> None:
    # The earlier version's timeouts ended at the headers.
    started = time.monotonic()
    with raw_server(*pieces, pause=0.05) as port:
        error = failure(fetcher.get, f"http://127.0.0.1:{port}/", LIMITS)
    assert (error.code, error.transient) == ("timeout", True)
    assert time.monotonic() - started < LIMITS.seconds + 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to make a certificate")
def test_tls_is_spoken_with_the_name_though_the_address_is_connected_to_until_the_deadline(tmp_path: Path) -> None:
    file, tls = certificate(tmp_path, "named.example")
    fetcher = Fetcher("tests/1", (ip_network("127.0.0.0/8"),), lambda _host, _port: ["127.0.0.1"])
    fetcher.__dict__["_tls"] = ssl.create_default_context(cafile=str(file))
    whole = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nok")
    with raw_server(whole, pause=0.05, tls=tls) as port:
        assert fetcher.get(f"https://named.example:{port}/", LIMITS).body == b"ok"
    for name, pieces, code in (("other", [whole], "fetch_failed"), ("named", [HEAD, b"x"], "timeout")):
        started = time.monotonic()
        with raw_server(*pieces, pause=0.05, tls=tls) as port:
            assert failure(fetcher.get, f"https://{name}.example:{port}/", LIMITS).code == code
        assert time.monotonic() - started < LIMITS.seconds + 1
