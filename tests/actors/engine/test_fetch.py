import gzip
import ssl
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.fetch import Fetcher, Limits
from actors.engine.local import LocalEngine
from tests.actors.engine.conftest import failure
from tests.actors.raw_server import certificate, needs_openssl, nobody, raw_server
from tests.actors.scripted_site import Answer, Site, page, paragraphs, rss
from tests.each import cases

LIMITS = Limits(body_bytes=200_000, raw_bytes=400_000, seconds=1.0)
LOOPBACK = (ip_network("127.0.0.0/8"),)


def test_a_page_is_asked_for_politely(site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    site.pages["/a?b=1"] = Answer("hello", headers={"ETag": '"x"'})
    answer = fetcher.get(f"{site.url}/a?b=1#part", LIMITS, {"Accept": "text/html", "User-Agent": "forged"})
    assert (answer.body, answer.headers["etag"], answer.media_type) == (b"hello", '"x"', "text/html")
    wanted = {"user-agent": "tests/1", "accept-encoding": "gzip", "accept": "text/html"}
    assert site.asked[0].headers.items() >= wanted.items()


@pytest.mark.parametrize("answers", [[["93.184.215.14", "10.0.0.7"]], [["10.0.0.7"], ["127.0.0.1"]], [["127.0.0.1"]]])
def test_a_name_is_resolved_once_to_the_address_that_is_checked_and_used(site: Site, answers: list[list[str]]) -> None:
    site.pages["/"] = Answer("by name")
    port, left = site.url.rsplit(":", 1)[1], list(answers)
    fetcher, url = Fetcher("tests/1", LOOPBACK, lambda _host, _port: left.pop(0)), f"http://name.example:{port}/"
    if answers == [["127.0.0.1"]]:
        assert fetcher.get(url, LIMITS).body == b"by name"
        assert site.asked[0].headers["host"] == f"name.example:{port}"
    else:
        assert failure(fetcher.get, url, LIMITS).code == "blocked_address"
    assert left == answers[1:]


@cases(
    "target code",
    *dict.fromkeys(("file:///etc/passwd", "gopher://x/", "http://[", "//a:99999/"), "invalid_url").items(),
    ("/", "too_many_redirects"),
    ("", "fetch_failed"),
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


@cases(
    "status code transient",
    (400, "fetch_failed", False), (401, "forbidden", False), (402, "paywall", False), (403, "forbidden", False),
    (404, "not_found", False), (408, "fetch_failed", True), (410, "gone", False), (429, "rate_limited", True),
    (451, "forbidden", False), (500, "fetch_failed", True), (503, "rate_limited", True),
)  # fmt: skip
def test_each_status_has_its_reason(site: Site, fetcher: Fetcher, status: int, code: str, transient: bool) -> None:
    site.pages["/"] = Answer(status=status, headers={"Retry-After": "120"})
    error = failure(fetcher.get, site.url, LIMITS)
    assert (error.code, error.transient) == (code, transient)
    assert error.retry_after == (120 if transient else None)


def test_without_a_name_or_a_listener_it_may_pass(fetcher: Fetcher) -> None:
    for address in ("http://no-such-host.invalid", nobody()):
        error = failure(fetcher.get, address, LIMITS)
        assert (error.code, error.transient) == ("fetch_failed", True)


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


@cases(
    "encoding body ended",
    ("gzip", gzip.compress(b"plain") + gzip.compress(b" and more"), b"plain and more"),
    ("deflate", zlib.compress(b"plain " * 100), b"plain " * 100),
    ("br", b"xx", ("unsupported_type", False)),
    ("gzip", gzip.compress(b"plain " * 1000)[:-20], ("fetch_failed", True)),
    ("gzip", gzip.compress(b"a") * 101, ("fetch_failed", True)),
    ids=["gzip", "deflate", "not asked for", "ends in the middle", "many members"],
)
def test_an_encoding_is_undone(site: Site, fetcher: Fetcher, encoding: str, body: bytes, ended: Any) -> None:
    site.pages["/"] = Answer(body, headers={"Content-Encoding": encoding})
    if isinstance(ended, bytes):
        assert fetcher.get(site.url, LIMITS).body == ended
    else:
        error = failure(fetcher.get, site.url, LIMITS)
        assert (error.code, error.transient) == ended


def test_a_small_body_that_inflates_to_100_mb_costs_bounded_memory(site: Site, fetcher: Fetcher) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    # Decompression multiplies each chunk's size by a thousand.
    site.pages["/"] = Answer(bomb, headers={"Content-Encoding": "gzip"})
    limits = Limits(body_bytes=1_000_000, raw_bytes=1_000_000, seconds=10)
    with peak_below(8_000_000):
        assert failure(fetcher.get, site.url, limits).code == "too_large"


@cases(
    "pieces pause code",
    pytest.param([HEAD, b"x" * 65536], 0.0, "too_large", id="too much"),
    pytest.param([HEAD, b"x"], 0.05, "timeout", id="body"),
    pytest.param([b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"], 0.05, "timeout", id="headers"),
    pytest.param([b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"], 0.05, "timeout", id="a header"),
    pytest.param([b"HTTP/1.1 103 Early Hints\r\n\r\n"], 0.05, "timeout", id="hints"),
)
def test_an_endless_server_is_left_in_time(fetcher: Fetcher, pieces: list[bytes], pause: float, code: str) -> None:
    # In an earlier version of the fetcher, the timeouts covered only the headers.
    started, limits = time.monotonic(), replace(LIMITS, seconds=0.3) if code == "timeout" else LIMITS
    with peak_below(3 * LIMITS.body_bytes + 2_000_000), raw_server(*pieces, pause=pause) as port:
        error = failure(fetcher.get, f"http://127.0.0.1:{port}/", limits)
    assert (error.code, error.transient) == (code, code == "timeout")
    assert time.monotonic() - started < limits.seconds + 1


@needs_openssl
def test_tls_is_spoken_with_the_name_though_the_address_is_connected_to_until_the_deadline(tmp_path: Path) -> None:
    file, tls = certificate(tmp_path, "named.example")
    fetcher = Fetcher("tests/1", LOOPBACK, lambda _host, _port: ["127.0.0.1"])
    fetcher.__dict__["_tls"] = ssl.create_default_context(cafile=str(file))
    whole = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nok")
    with raw_server(whole, pause=0.05, tls=tls) as port:
        assert fetcher.get(f"https://named.example:{port}/", LIMITS).body == b"ok"
    for name, pieces, code in (("other", [whole], "fetch_failed"), ("named", [HEAD, b"x"], "timeout")):
        started = time.monotonic()
        with raw_server(*pieces, pause=0.05, tls=tls) as port:
            assert failure(fetcher.get, f"https://{name}.example:{port}/", LIMITS).code == code
        assert time.monotonic() - started < LIMITS.seconds + 1


ONE = rss(("g", "t", "https://a.example/1"))


def test_a_page_is_fetched_and_read_unless_it_is_none_and_a_feed_of_any_type(site: Site, engine: LocalEngine) -> None:
    site.pages |= {
        "/old": Answer(status=302, headers={"Location": "/a"}),
        "/a": Answer(page("A", paragraphs("the queue"))),
    }
    site.pages |= {"/304": Answer(status=304), "/large": Answer(page("A", "<p>x</p>" * 60_000))}
    item = engine.fetch_item(f"{site.url}/old")
    assert (item.url, item.title, item.content_type) == (f"{site.url}/a", "A", "article")
    assert "Paragraph 1 says" in (item.text or "")
    assert item.content_hash is not None
    assert "https://news.example/bot" in site.asked[0].headers["user-agent"]
    for path, code in (("304", "fetch_failed"), ("large", "too_large")):
        assert failure(engine.fetch_item, f"{site.url}/{path}").code == code
    for kind in ("application/rss+xml", "text/xml", "text/html", "application/octet-stream", ""):
        site.pages["/feed"] = Answer(ONE, content_type=kind)
        assert len(engine.fetch_source(f"{site.url}/feed").items or []) == 1, "a feed is read whatever it is served as"


@cases(
    "headers extra seconds",
    ({}, "", None), ({"Cache-Control": "public, max-age=600"}, "", 600), ({"Cache-Control": "no-cache"}, "", None),
    ({"Expires": "0"}, "", None), ({"Expires": "Sun, 01 Nov 1998 10:00:00 GMT"}, "", None), ({}, "<ttl>30</ttl>", 1800),
    ({"Cache-Control": "max-age=600"}, "<ttl>30</ttl>", 1800), ({"Cache-Control": "max-age=99999999999"}, "", None),
    ({"Expires": "in three hours"}, "", 10_800), ({"Cache-Control": "max-age=600", "Expires": "in three hours"}, "", 600),
)  # fmt: skip
def test_the_longest_wish_of_a_server_counts(
    site: Site, engine: LocalEngine, headers: dict[str, str], extra: str, seconds: int | None
) -> None:
    if "in three hours" in headers.values():
        headers = {**headers, "Expires": format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)}
    site.pages["/feed"] = Answer(ONE.replace("<description>", f"{extra}<description>", 1), headers=headers)
    wish = engine.fetch_source(f"{site.url}/feed").next_check_at
    if seconds is None:
        assert wish is None or wish > datetime.now(UTC) + timedelta(days=29)
    else:
        assert wish is not None
        assert (wish - datetime.now(UTC)).total_seconds() == pytest.approx(seconds, abs=5)


def test_wrong_settings_are_refused_and_a_token_is_not_shown() -> None:
    wrong: list[dict[str, Any]] = [{"kind": "http"}, {"kind": "ftp"}, {"alow_networks": []}, {"page_timeout": 5}]
    for given in (*wrong, {"allow_networks": ["loopback"]}):
        with pytest.raises(ValidationError):
            Settings.model_validate(given)
    assert "s3cret" not in repr(Settings(token="s3cret"))
