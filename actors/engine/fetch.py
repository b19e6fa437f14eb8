"""Sends all requests of the pipeline to other servers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_network
from typing import TYPE_CHECKING

import httpcore
import httpx

from actors.engine.canonical import LONGEST_ADDRESS, LONGEST_HOST
from actors.engine.connect import Budget, GuardedBackend, Network, Resolver, resolve
from actors.engine.contract import EngineError
from actors.engine.decode import decoded
from actors.retry_after import retry_after

if TYPE_CHECKING:
    import ssl

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""All networks are allowed for addresses that the operator chose, such as the address of an Engine or a model."""

_PERMANENT, _PASSING = {301, 308}, {302, 303, 307}  # permanent and temporary redirects
_READ = {200, 203}
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_REFUSALS = dict.fromkeys((401, 403, 451), "forbidden") | dict.fromkeys((429, 503), "rate_limited")
_REFUSALS |= {402: "paywall", 404: "not_found", 410: "gone"}


@dataclass(frozen=True)
class Limits:
    """Holds the limits of one fetch."""

    body_bytes: int  # bytes of the decoded body; with 0 the body is not read
    raw_bytes: int  # bytes on the wire, with headers and redirects
    seconds: float  # from the first connection to the last byte
    redirects: int = 5
    content_types: tuple[str, ...] = ("text/", "application/xhtml", "application/xml")  # allowed prefixes, or no type


@dataclass(frozen=True)
class Fetched:
    """Holds a server's answer."""

    url: str  # the address after redirects
    status: int
    headers: Mapping[str, str]  # by name in lower case
    body: bytes
    moved_to: str | None = None  # the last target, if all redirects were permanent

    @property
    def media_type(self) -> str:
        """Return the media type, such as ``text/html``, or an empty string if the server gives none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Fetcher:
    """Sends GET requests to sites, and POST requests to webhooks, Engines and models.

    The fetcher checks the address of each connection, also after a redirect. It ignores proxies from the environment,
    and limits the time and the decompressed size of an answer.
    """

    user_agent: str
    allowed: Sequence[Network] = ()  # networks that are reachable although they are not public
    resolver: Resolver = resolve
    credentials: Callable[[httpx.URL], Mapping[str, str]] = lambda _: {}  # headers for exactly this address

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()

    def get(self, url: str, limits: Limits, headers: Mapping[str, str] | None = None) -> Fetched:
        """Get ``url``, following redirects. Raises EngineError, with a code, for any failure or error status."""
        budget = Budget(time.monotonic() + limits.seconds, limits.raw_bytes)
        target = parse(url)
        permanent = True
        for hop in range(limits.redirects + 1):
            answer = self._one(target, limits, {**(headers or {}), **self.credentials(target)}, budget)
            if answer.status not in _PERMANENT | _PASSING:
                if answer.status not in {*_READ, httpx.codes.NOT_MODIFIED}:
                    raise refused(answer)
                return replace(answer, moved_to=answer.url) if hop and permanent else answer
            permanent = permanent and answer.status in _PERMANENT
            if not (location := answer.headers.get("location")):
                raise EngineError("fetch_failed", f"{target} redirects without saying where to")
            try:
                target = parse(str(target.join(location)))
            except (httpx.InvalidURL, ValueError) as error:
                reason = f"{target} redirects to {location[:200]!r}: {error}"
                raise EngineError("invalid_url", reason) from error
        raise EngineError("too_many_redirects", f"{url} redirects more than {limits.redirects} times")

    def ask(self, url: str, body: bytes | None, limits: Limits, headers: Mapping[str, str]) -> Fetched:
        """Send a POST request with ``body``, or a GET request if it is None. Any status is returned, also redirects."""
        budget = Budget(time.monotonic() + limits.seconds, limits.raw_bytes)
        return self._one(parse(url), limits, headers, budget, body, is_any=True)

    def _one(
        self,
        url: httpx.URL,
        limits: Limits,
        headers: Mapping[str, str],
        budget: Budget,
        posted: bytes | None = None,
        *,
        is_any: bool = False,
    ) -> Fetched:
        left = budget.remaining()
        sent = {**headers, "User-Agent": self.user_agent, "Accept-Encoding": "gzip", "Connection": "close"}
        sent |= {} if posted is None else {"Content-Length": str(len(posted))}
        encoded = [(name.encode(), value.encode("latin-1", "ignore")) for name, value in sent.items()]
        request = httpcore.Request(
            "GET" if posted is None else "POST",
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[(b"Host", url.netloc), *encoded],
            content=posted,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left)},
        )
        tls = self._tls if url.scheme == "https" else None
        pool = httpcore.ConnectionPool(tls, network_backend=GuardedBackend(budget, self.allowed, self.resolver))
        try:
            with pool, closing(pool.handle_request(request)) as response:
                return _read(response, url, limits, is_read=is_any or response.status in _READ)
        except httpcore.TimeoutException as error:
            raise EngineError("timeout", f"{url} took longer than {limits.seconds:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            is_unreachable = isinstance(error, httpcore.ConnectError)
            reason = f"{url}: {type(error).__name__}: {error}"
            raise EngineError("fetch_failed", reason, is_unreachable=is_unreachable) from error


def parse(url: str) -> httpx.URL:
    """Parse an untrusted address. Raises EngineError (``invalid_url``)."""
    if len(url) > LONGEST_ADDRESS:
        raise EngineError("invalid_url", f"expected an address, got {len(url)} characters: {url[:200]!r}")
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise EngineError("invalid_url", f"expected an address, got {url[:200]!r}: {error}") from error
    host = parsed.raw_host.decode("ascii", "replace")
    is_host = _HOST.fullmatch(host) is not None and len(host) <= LONGEST_HOST
    is_port = parsed.port is None or 0 < parsed.port < 65536
    if parsed.scheme not in {"http", "https"} or not is_host or not is_port:
        raise EngineError("invalid_url", f"expected an http or https address, got {url[:200]!r}")
    if parsed.userinfo:
        raise EngineError("invalid_url", f"expected an address without a password, got one for {parsed.host}")
    return parsed.copy_with(fragment=None)


def _read(response: httpcore.Response, url: httpx.URL, limits: Limits, *, is_read: bool) -> Fetched:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    answer = Fetched(str(url), response.status, headers, b"")
    if not is_read or not limits.body_bytes:
        return answer
    if answer.media_type and not answer.media_type.startswith(limits.content_types):
        raise EngineError("unsupported_type", f"{url} is {answer.media_type}")
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limits.raw_bytes:
        raise EngineError("too_large", f"{url} announces {announced} bytes")
    body = decoded(response.iter_stream(), headers.get("content-encoding", ""), limits.body_bytes)
    return replace(answer, body=body)


def refused(answer: Fetched) -> EngineError:
    """Return the error for an answer with an error status."""
    code = _REFUSALS.get(answer.status, "fetch_failed")
    may_pass = code == "rate_limited" or answer.status in {408, 425} or answer.status >= 500
    wait = retry_after(answer.headers.get("retry-after", "")) if may_pass else None
    return EngineError(code, f"{answer.url} answers {answer.status}", transient=may_pass, retry_after=wait)
