import gzip
import shutil
import socket
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
from tests.actors.raw_server import certificate, raw_server
from tests.actors.scripted_site import Answer, Site

LIMITS = Limits(body_bytes=200_000, raw_bytes=400_000, seconds=1.0)
LOOPBACK = (ip_network("127.0.0.0/8"),)


def test_a_page_comes_with_its_headers_and_is_asked_for_politely(site: Site, fetcher: Fetcher) -> None:
    site.pages["/a?b=1"] = Answer("hello", headers={"ETag": '"x"'})
    answer = fetcher.get(f"{site.url}/a?b=1#part", LIMITS, {"Accept": "text/html", "User-Agent": "forged"})
    assert (answer.body, answer.headers["etag"], answer.media_type) == (b"hello", '"x"', "text/html")
    asked = site.asked[0].headers
    assert asked["user-agent"] == "tests/1"
    assert asked["accept-encoding"] == "gzip"
    assert asked["accept"] == "text/html"


@pytest.mark.parametrize("answers", [[["93.184.215.14", "10.0.0.7"]], [["10.0.0.7"], ["127.0.0.1"]], [["127.0.0.1"]]])
def test_a_name_is_resolved_once_to_the_address_that_is_checked_and_used(site: Site, answers: list[list[str]]) -> None:
    site.pages["/"] = Answer("by name")
    port, resolved = site.url.rsplit(":", 1)[1], list[str]()

    def resolver(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return answers[len(resolved) - 1]

    fetcher, url = Fetcher("tests/1", LOOPBACK, resolver), f"http://name.example:{port}/"
    if answers == [["127.0.0.1"]]:
        assert fetcher.get(url, LIMITS).body == b"by name"
        assert site.asked[0].headers["host"] == f"name.example:{port}"
    else:
        assert failure(fetcher.get, url, LIMITS).code == "blocked_address"
    assert resolved == ["name.example"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        *dict.fromkeys(("file:///etc/passwd", "gopher://x/", "http://[", "//a:99999/"), "invalid_url").items(),
        ("/", "too_many_redirects"),
    ],
)
def test_a_redirect_from_http_and_a_loop_are_refused(site: Site, fetcher: Fetcher, target: str, code: str) -> None:
    site.pages["/"] = Answer(status=302, headers={"Location": target})
    assert failure(fetcher.get, f"{site.url}/", LIMITS).code == code
    assert len(site.asked) == (LIMITS.redirects + 1 if target == "/" else 1)


def test_only_redirects_that_are_all_permanent_move_an_address(site: Site, fetcher: Fetcher) -> None:
    site.pages |= {
        "/old": Answer(status=301, headers={"Location": "/new"}),
        "/away": Answer(status=308, headers={"Location": "/there"}),
        "/there": Answer(status=302, headers={"Location": "/new"}),
        "/new": Answer("here"),
    }
    assert fetcher.get(f"{site.url}/old", LIMITS).moved_to == f"{site.url}/new"
    assert fetcher.get(f"{site.url}/away", LIMITS).moved_to is None
    assert fetcher.get(f"{site.url}/new", LIMITS).moved_to is None


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [
        (400, "fetch_failed", False), (401, "forbidden", False), (402, "paywall", False), (403, "forbidden", False),
        (404, "not_found", False), (408, "fetch_failed", True), (410, "gone", False), (429, "rate_limited", True),
        (451, "forbidden", False), (500, "fetch_failed", True), (503, "rate_limited", True),
    ],
)  # fmt: skip
def test_each_status_has_its_reason(site: Site, fetcher: Fetcher, status: int, code: str, transient: bool) -> None:
    site.pages["/"] = Answer(status=status, headers={"Retry-After": "120"})
    error = failure(fetcher.get, site.url, LIMITS)
    assert (error.code, error.transient) == (code, transient)
    assert error.retry_after == (120 if transient else None)


def test_a_name_that_does_not_resolve_and_a_port_where_nobody_listens_may_pass(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for place in ("no-such-host.invalid", f"127.0.0.1:{port}"):
        error = failure(fetcher.get, f"http://{place}/", LIMITS)
        assert (error.code, error.transient) == ("fetch_failed", True)


def test_proxies_of_the_environment_are_not_used(site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    site.pages["/"] = Answer("direct")
    assert fetcher.get(site.url, LIMITS).body == b"direct"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


@contextmanager
def peak_below(most: int) -> Iterator[None]:
    """Check that the block allocates fewer than ``most`` bytes."""
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
    # Each chunk inflates a thousandfold; a second compression would shrink the body to 16 KB.
    site.pages["/"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    limits = Limits(body_bytes=1_000_000, raw_bytes=1_000_000, seconds=10)
    with peak_below(8_000_000):
        assert failure(fetcher.get, site.url, limits).code == "too_large"


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
    # The timeouts of an earlier version covered the headers only.
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
