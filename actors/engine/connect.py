"""Connects to untrusted hosts, at checked addresses and with a deadline."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import httpcore

from actors.engine.contract import EngineError

if TYPE_CHECKING:
    import ssl

Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")
# The module ``ipaddress`` (Python 3.11 to 3.13) calls these networks global, although they have no public servers.
_REFUSED = (
    ip_network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    ip_network("::/96"),  # IPv4-compatible, deprecated
    ip_network("64:ff9b:1::/48"),  # local NAT64 (RFC 8215)
    ip_network("3fff::/20"),  # documentation (RFC 9637)
    ip_network("5f00::/16"),  # segment routing (RFC 9602)
    ip_network("fec0::/10"),  # site-local, deprecated
)


def refusal(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """Return the reason why a connection to ``address`` is not allowed, or None. ``allowed`` networks pass without a check.

    If an IPv6 address contains an IPv4 address (mapped, 6to4, Teredo, NAT64), both addresses must be allowed.
    """
    parsed = ip_address(address.partition("%")[0])
    if any(parsed in network for network in allowed):
        return None
    if isinstance(parsed, IPv6Address):
        nat64 = IPv4Address(int(parsed) & 0xFFFFFFFF) if parsed in _NAT64 else None
        carried = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or (None, nat64))[1]
        if carried is not None:
            inner = refusal(str(carried), allowed)
            return None if inner is None else f"{address} carries {inner}"
    is_listed = any(parsed in network for network in _REFUSED)
    if parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or is_listed):
        return None
    network = "127.0.0.0/8" if str(parsed).startswith("127.") else f"{parsed}/{parsed.max_prefixlen}"
    return f"{address} is not a public address; services.engine.allow_networks: [{network}] in jobs.yaml would allow it"


Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return all addresses of ``host``. Raises EngineError (``fetch_failed``) if the system's resolver finds none."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise EngineError("fetch_failed", f"{host} does not resolve: {error}", is_unreachable=True) from error
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass
class Budget:
    """Limits the bytes and the time of one fetch. The ``deadline`` is a value of ``time.monotonic``."""

    deadline: float
    raw_bytes: int
    received: int = field(default=0, init=False)

    def remaining(self, most: float | None = None) -> float:
        """Return the seconds left, or ``most`` if that is less. Raises EngineError (``timeout``) after the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise EngineError("timeout", "the server took longer than allowed")
        return min(most or left, left)

    def count(self, size: int) -> None:
        """Count ``size`` received bytes. Raises EngineError (``too_large``)."""
        self.received += size
        if self.received > self.raw_bytes:
            raise EngineError("too_large", f"the answer is larger than {self.raw_bytes} bytes")


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves a host's name once, checks all its addresses, and connects to one. TLS still verifies the name."""

    def __init__(self, budget: Budget, allowed: Sequence[Network] = (), resolver: Resolver = resolve) -> None:
        self._budget, self._allowed, self._resolver = budget, allowed, resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(  # type: ignore[override]
        self, host: str, port: int, timeout: float | None = None, **options: Any
    ) -> httpcore.NetworkStream:
        """Open a connection to ``host``. Raises EngineError: ``blocked_address``, ``timeout``, or ``fetch_failed``."""
        addresses = self._resolver(host, port)
        for address in addresses:
            if (reason := refusal(address, self._allowed)) is not None:
                raise EngineError("blocked_address", f"{host}: {reason}")
        failure: Exception | None = None
        for address in addresses:
            left = self._budget.remaining(timeout)
            try:
                stream = self._sockets.connect_tcp(address, port, left, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _BudgetedStream(stream, self._budget)
        raise EngineError("fetch_failed", f"{host}: no connection: {failure}", is_unreachable=True)


class _BudgetedStream(httpcore.NetworkStream):
    """Keeps a stream within its budget of bytes and time, even if the server sends byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, self._budget.remaining(timeout))
        self._budget.count(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._budget.remaining(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._budget.remaining(timeout))
        return _BudgetedStream(inner, self._budget)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
